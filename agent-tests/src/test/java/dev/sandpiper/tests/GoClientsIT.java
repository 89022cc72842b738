package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.GoPrograms;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.Shell;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Go's clients: the published `grpcurl`, and the published connect-go under a program of ours, in
/// `src/test/go/connectclient`.
final class GoClientsIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final long RUN_SECONDS = 120;

  private static Path grpcurl = Path.of("grpcurl");
  private static Path connectClient = Path.of("connectclient");

  @BeforeAll
  @Timeout(value = 15, unit = TimeUnit.MINUTES) // downloads and compilers
  static void build() {
    grpcurl = GoPrograms.grpcurl();
    connectClient = GoPrograms.own("connectclient");
  }

  /// `grpcurl -plaintext OPTIONS… ADDRESS WORDS…`, where the options are those before `--`.
  private static Shell.Result grpcurl(String... arguments) {
    List<String> all = List.of(arguments);
    int split = all.indexOf("--");
    ProcessBuilder program = new ProcessBuilder(grpcurl.toString(), "-plaintext");
    program.command().addAll(all.subList(0, split));
    program.command().add("127.0.0.1:" + AGENT.get().port());
    program.command().addAll(all.subList(split + 1, all.size()));
    return Shell.run(program, RUN_SECONDS);
  }

  /// The objects that it prints one after the other.
  private static List<Json> objects(Shell.Result result) {
    return Json.parse("[" + result.stdout().replace("\n}\n{", "\n},\n{") + "]").array();
  }

  @Test
  void grpcurlListsTheServices() {
    assertThat(grpcurl("--", "list").requireSuccess().stdout().lines())
        .contains(
            "process.Process",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection");
    assertThat(grpcurl("--", "list", "process.Process").requireSuccess().stdout().lines())
        .contains("process.Process.Start", "process.Process.StreamInput");
  }

  @Test
  void grpcurlDescribesMethodsAndMessages() {
    assertThat(grpcurl("--", "describe", "process.Process.Start").requireSuccess().stdout())
        .contains("rpc Start ( .process.StartRequest ) returns ( stream .process.StartResponse );");
    assertThat(grpcurl("--", "describe", "process.ProcessEvent").requireSuccess().stdout())
        .contains("message KeepAlive", "sint32 exit_code = 1;");
  }

  @Test
  void grpcurlRunsACommandThroughReflection() {
    List<Json> events =
        objects(
            grpcurl(
                    "-d",
                    "{\"process\":{\"cmd\":\"/bin/sh\",\"args\":[\"-c\",\"echo hello; exit 3\"]}}",
                    "--",
                    "process.Process/Start")
                .requireSuccess());
    assertThat(events).hasSize(3);
    assertThat(events.get(0).get("event").get("start").number("pid")).isPositive();
    assertThat(Base64.getDecoder().decode(events.get(1).get("event").get("data").string("stdout")))
        .asString(StandardCharsets.UTF_8)
        .isEqualTo("hello\n");
    assertThat(events.get(2).get("event").get("end").number("exit_code")).isEqualTo(3);
  }

  @Test
  void grpcurlStreamsInput() {
    try (Follower run = AGENT.get().json().start(Command.of("cat").stdin())) {
      grpcurl(
              "-d",
              "{\"start\":{\"process\":{\"pid\":%d}}}".formatted(run.pid())
                  + "{\"data\":{\"input\":{\"stdin\":\"b25lCg==\"}}}"
                  + "{\"data\":{\"input\":{\"stdin\":\"dHdvCg==\"}}}",
              "--",
              "process.Process/StreamInput")
          .requireSuccess();
      AGENT.get().json().closeStdin(run.pid());
      run.end();
      assertThat(run.stdout()).isEqualTo("one\ntwo\n");
    }
  }

  @Test
  void grpcurlIsToldTheCodeOfAnError() {
    Shell.Result result =
        grpcurl("-d", "{\"process\":{\"tag\":\"nobody\"}}", "--", "process.Process/CloseStdin");
    assertThat(result.exitCode()).isEqualTo(64 + 5); // as it documents: 64 and the code
    assertThat(result.stderr()).contains("NotFound", "process with tag nobody not found");
  }

  @Test
  void grpcurlIsToldThatItsTimeIsOver() {
    Shell.Result result =
        grpcurl(
            "-max-time",
            "0.5",
            "-d",
            "{\"process\":{\"cmd\":\"sleep\",\"args\":[\"600\"]}}",
            "--",
            "process.Process/Start");
    assertThat(result.exitCode()).isEqualTo(64 + 4);
    assertThat(result.stderr()).contains("DeadlineExceeded");
  }

  @Test
  void grpcurlAsksForHealth() {
    for (String service : List.of("", "process.Process")) {
      List<Json> answer =
          objects(
              grpcurl(
                      "-d",
                      "{\"service\":\"" + service + "\"}",
                      "--",
                      "grpc.health.v1.Health/Check")
                  .requireSuccess());
      assertThat(answer).containsExactly(Json.parse("{\"status\":\"SERVING\"}"));
    }
  }

  /// Connect, gRPC and gRPC-Web, each with both codecs, on each version of HTTP that they are for.
  @TestFactory
  List<DynamicTest> connectGo() {
    Shell.Result result =
        Shell.run(
            new ProcessBuilder(
                connectClient.toString(),
                "-schema",
                Path.of("../proto/src/main/protobuf").toString(),
                "-url",
                "http://127.0.0.1:" + AGENT.get().port()),
            RUN_SECONDS);
    List<DynamicTest> cases = new ArrayList<>();
    for (String line : result.requireSuccess().stdout().lines().toList()) {
      Json one = Json.parse(line);
      cases.add(
          DynamicTest.dynamicTest(
              one.string("name"), () -> assertThat(one.string("error")).isEmpty()));
    }
    assertThat(cases).as("cases; %s", result).hasSizeGreaterThan(60);
    return cases;
  }
}

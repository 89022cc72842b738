package dev.sandpiper.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.sandpiper.agent.cli.ScriptedServer.Answer;
import dev.sandpiper.proto.process.ProcessEvent;
import dev.sandpiper.proto.process.SendInputRequest;
import dev.sandpiper.proto.process.SendSignalRequest;
import dev.sandpiper.proto.process.StartRequest;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What `run` makes of the answers of an agent, which are scripted here; the real thing is tested on the image.
@Timeout(20)
class RunCommandTest {
  private static final String OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  @TempDir private Path directory;

  private static RunOptions options(Optional<AgentUrl> agent, boolean events) {
    return new RunOptions(
        agent,
        AgentUrl.local(1), // nobody listens on the port of tcpmux
        Optional.of("hunter2"),
        Optional.empty(),
        Optional.of("/work dir"),
        Map.of("A", "b"),
        Optional.of("t"),
        Optional.of(Duration.ofSeconds(9)),
        false,
        false,
        events,
        false,
        List.of("cmd", "x y", ""));
  }

  private int run(AgentUrl agent, String input, OutputStream to) {
    var console =
        new Console(
            new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
            to,
            err,
            input.isEmpty() ? Console.Input.NOTHING : Console.Input.DATA,
            false);
    return new RunCommand(options(Optional.of(agent), false), console, Optional.empty(), false)
        .run();
  }

  private int run(ProcessEvent... events) throws Exception {
    try (var server = new ScriptedServer(Answer.of(Wire.stream(List.of(events), "{}")))) {
      return run(server.url(), "", out);
    }
  }

  private int refused(String code) throws Exception {
    var end = "{\"error\":{\"code\":\"" + code + "\",\"message\":\"what was wrong\"}}";
    try (var server = new ScriptedServer(Answer.of(Wire.stream(List.of(), end)))) {
      return run(server.url(), "", out);
    }
  }

  private String complained() {
    return err.toString(StandardCharsets.UTF_8);
  }

  @Test
  void printsBytesAsTheyAreAndExitsWithTheCommandsCode() throws Exception {
    var bytes = ByteString.copyFrom(new byte[] {0, (byte) 0xff, '\r', 10});
    assertThat(
            run(
                Wire.start(7),
                Wire.stdout("a"),
                Wire.stderr(bytes),
                Wire.keepalive(),
                Wire.stdout("b"),
                Wire.exited(201)))
        .isEqualTo(201);
    assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo("ab");
    assertThat(err.toByteArray()).isEqualTo(bytes.toByteArray());
  }

  @Test
  void asksForWhatTheOptionsSay() throws Exception {
    try (var server =
        new ScriptedServer(Answer.of(Wire.stream(List.of(Wire.start(7), Wire.exited(0)), "{}")))) {
      assertThat(run(server.url(), "", out)).isZero();
      var request = server.request();
      assertThat(request.head())
          .contains("Connect-Timeout-Ms: 9000", "\r\nX-Access-Token: hunter2\r\n");
      var start = StartRequest.parseFrom(request.body().substring(5));
      assertThat(start.getProcess().getCmd()).isEqualTo("cmd");
      assertThat(start.getProcess().getArgsList()).containsExactly("x y", "");
      assertThat(start.getProcess().getEnvsMap()).isEqualTo(Map.of("A", "b"));
      assertThat(start.getProcess().getCwd()).isEqualTo("/work dir");
      assertThat(start.getTag()).isEqualTo("t");
      assertThat(start.hasStdin() && !start.getStdin()).isTrue();
    }
  }

  @ParameterizedTest(name = "{0} gives {1}")
  @CsvSource({"killed, 137", "terminated, 143", "segmentation fault (core dumped), 139"})
  void signalGivesTheShellsCode(String name, int code) throws Exception {
    assertThat(run(Wire.start(7), Wire.signaled(name))).isEqualTo(code);
  }

  @ParameterizedTest(name = "{0} gives {1}")
  @CsvSource({
    "not_found, 127",
    "permission_denied, 126",
    "invalid_argument, 125",
    "resource_exhausted, 125",
    "internal, 125"
  })
  void refusedStartSaysWhyAndHasACodeOfItsOwn(String error, int code) throws Exception {
    assertThat(refused(error)).isEqualTo(code);
    assertThat(complained()).isEqualTo("sandpiper: what was wrong\n");
  }

  @Test
  void elapsedTimeLimitIs124() throws Exception {
    assertThat(refused("deadline_exceeded")).isEqualTo(124);
    assertThat(complained()).contains("time limit");
  }

  @Test
  void streamThatEndsWithoutTheCommandsEndIsAFailure() throws Exception {
    assertThat(run(Wire.start(7), Wire.stdout("x"))).isEqualTo(125);
    assertThat(complained()).contains("the call ended before the command did");
  }

  @Test
  void unknownEndIsNotASuccess() throws Exception {
    var lost =
        ProcessEvent.newBuilder()
            .setEnd(ProcessEvent.EndEvent.newBuilder().setStatus("lost: nobody was there"))
            .build();
    assertThat(run(Wire.start(7), lost)).isEqualTo(125);
    assertThat(complained()).contains("lost: nobody was there");
  }

  @Test
  void namedAgentThatDoesNotAnswerIsNotReplaced() {
    assertThat(run(AgentUrl.local(1), "", out)).isEqualTo(125);
    assertThat(complained()).startsWith("sandpiper: lost the agent at http://127.0.0.1:1: ");
  }

  @Test
  void passesInputOnAndClosesIt() throws Exception {
    var start = Wire.response(Wire.body(List.of(Wire.start(7)), "").substring(0, 11));
    var text = "x".repeat(5000);
    // The answer to Start stays open, so that the command "runs" until all input was taken.
    var open = start.substring(0, start.size() - "0\r\n\r\n".length());
    try (var server =
        new ScriptedServer(Answer.of(open), Answer.of(OK), Answer.of(OK), Answer.of(OK))) {
      Thread.ofVirtual().start(() -> run(server.url(), text, out));
      assertThat(StartRequest.parseFrom(server.request().body().substring(5)).getStdin()).isTrue();
      var first = SendInputRequest.parseFrom(server.request().body());
      var second = SendInputRequest.parseFrom(server.request().body());
      assertThat(first.getInput().getStdin().size()).isEqualTo(4096);
      assertThat(first.getInput().getStdin().concat(second.getInput().getStdin()).toStringUtf8())
          .isEqualTo(text);
      assertThat(server.request().head()).startsWith("POST /process.Process/CloseStdin ");
    }
  }

  @Test
  void inputThatTimedOutIsSentAgain() throws Exception {
    var start = Wire.response(Wire.body(List.of(Wire.start(7)), "").substring(0, 11));
    var open = start.substring(0, start.size() - "0\r\n\r\n".length());
    var error = "{\"code\":\"deadline_exceeded\",\"message\":\"took 0 of 2 bytes\"}";
    var late =
        "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: " + error.length() + "\r\n\r\n" + error;
    try (var server =
        new ScriptedServer(Answer.of(open), Answer.of(late), Answer.of(OK), Answer.of(OK))) {
      Thread.ofVirtual().start(() -> run(server.url(), "hi", out));
      server.request();
      var first = server.request();
      assertThat(server.request().body()).isEqualTo(first.body());
      assertThat(server.request().head()).startsWith("POST /process.Process/CloseStdin ");
    }
  }

  @Test
  void commandGetsSigpipeWhenNobodyReads() throws Exception {
    var broken =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException("Broken pipe");
          }
        };
    try (var server =
        new ScriptedServer(
            Answer.of(Wire.stream(List.of(Wire.start(7), Wire.stdout("x")), "{}")),
            Answer.of(OK))) {
      assertThat(run(server.url(), "", broken)).isEqualTo(141);
      server.request();
      assertThat(SendSignalRequest.parseFrom(server.request().body()).getSignalValue())
          .isEqualTo(13);
    }
    assertThat(complained()).isEmpty();
  }

  @Test
  void liveDisplayHasALineForEachEvent() throws Exception {
    try (var server =
        new ScriptedServer(
            Answer.of(
                Wire.stream(
                    List.of(Wire.start(7), Wire.stdout("a\t\"b\"\n\u0001é"), Wire.exited(0)),
                    "{}")))) {
      var console =
          new Console(
              new ByteArrayInputStream(new byte[0]), out, err, Console.Input.NOTHING, false);
      var command =
          new RunCommand(
              options(Optional.of(server.url()), true), console, Optional.empty(), false);
      assertThat(command.run()).isZero();
    }
    assertThat(out.toString(StandardCharsets.UTF_8).lines())
        .map(line -> line.replaceFirst("^ *[0-9.]+ s  ", ""))
        .containsExactly(
            "event   start      pid 7",
            "event   data       stdout 9 bytes \"a\\t\\\"b\\\"\\n\\x01é\"",
            "event   end        exit status 0");
  }

  private int runOnOwnAgent(String script) throws Exception {
    var program = directory.resolve("sandpiper");
    Files.writeString(program, "#!/bin/sh\n" + script, StandardCharsets.UTF_8);
    Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
    var console =
        new Console(new ByteArrayInputStream(new byte[0]), out, err, Console.Input.NOTHING, false);
    return new RunCommand(
            options(Optional.empty(), false),
            console,
            Optional.of(new OwnAgent.Place(program, directory)),
            false)
        .run();
  }

  @Test
  void agentThatDoesNotStartIsQuoted() throws Exception {
    var arguments = directory.resolve("arguments");
    assertThat(runOnOwnAgent("echo \"$@\" >> " + arguments + "; echo 'no room' >&2; exit 1"))
        .isEqualTo(125);
    assertThat(complained())
        .isEqualTo("sandpiper: the agent that was to run the command did not start:\n  no room\n");
    assertThat(Files.readString(arguments).lines())
        .singleElement()
        .asString()
        .matches(
            "serve --listen=127\\.0\\.0\\.1 --port=\\d+ --state-dir=/.*/sandpiper-run-\\d+/state");
    var state = Files.readString(arguments).lines().findFirst().orElseThrow();
    assertThat(Path.of(state.substring(state.indexOf("--state-dir=") + 12)).getParent())
        .doesNotExist();
  }

  @Test
  void withoutAnImageThereIsNoAgentOfItsOwn() {
    var console =
        new Console(new ByteArrayInputStream(new byte[0]), out, err, Console.Input.NOTHING, false);
    var command =
        new RunCommand(options(Optional.empty(), false), console, Optional.empty(), false);
    assertThat(command.run()).isEqualTo(125);
    assertThat(complained()).contains("no agent answers at http://127.0.0.1:1");
  }
}

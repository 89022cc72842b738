package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.HttpConnection.Reply;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.Records;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Shell;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Who may call: tokens, signed URLs, `/init`, and the browsers of this machine.
final class AccessIT {
  private static final String TOKEN = "token-of-the-access-tests";
  private static final String LIST = "/process.Process/List";
  private static final String START = "/process.Process/Start";
  private static final String UNAUTHORIZED =
      "{\"code\":401,\"message\":\"unauthorized access, please provide a valid access token or method signing if supported\"}\n";

  @RegisterExtension static final Agent OPEN = Agent.withDefaults();

  @RegisterExtension
  static final Agent SECURED =
      Agent.with(builder -> builder.environment("SANDPIPER_ACCESS_TOKEN", TOKEN));

  @TempDir Path directory;

  private static Reply ask(
      AgentProcess agent, String method, String path, String body, String... headers) {
    try (HttpConnection connection = agent.http()) {
      return ask(connection, method, path, body, headers);
    }
  }

  private static Reply ask(
      HttpConnection connection, String method, String path, String body, String... headers) {
    Map<String, String> map = new LinkedHashMap<>();
    for (int i = 0; i < headers.length; i += 2) {
      map.put(headers[i], headers[i + 1]);
    }
    return method.equals("GET") || method.equals("OPTIONS")
        ? connection.send(method, path, map).reply()
        : connection.send(method, path, map, body.getBytes(StandardCharsets.UTF_8)).reply();
  }

  private static Reply list(HttpConnection connection, String... headers) {
    List<String> all = new ArrayList<>(List.of("Content-Type", "application/json"));
    all.addAll(List.of(headers));
    return ask(connection, "POST", LIST, "{}", all.toArray(String[]::new));
  }

  private static Reply list(AgentProcess agent, String... headers) {
    try (HttpConnection connection = agent.http()) {
      return list(connection, headers);
    }
  }

  private static Reply init(AgentProcess agent, String body, String... headers) {
    return ask(agent, "POST", "/init", body, headers);
  }

  // A token that was given.

  @ParameterizedTest
  @ValueSource(
      strings = {
        "application/json",
        "application/proto",
        "application/connect+json",
        "application/connect+proto",
        "application/grpc",
        "application/grpc-web+proto"
      })
  void withoutTheTokenEveryProtocolGetsThePlainRefusal(String type) {
    for (String path : List.of(LIST, START, "/process.Process/StreamInput")) {
      for (String token : List.of("", TOKEN + "x", "no")) {
        Reply reply =
            ask(SECURED.get(), "POST", path, "{}", "Content-Type", type, "X-Access-Token", token);
        assertThat(reply.status()).isEqualTo(401);
        assertThat(reply.text()).isEqualTo(UNAUTHORIZED);
        assertThat(reply.header("Content-Type")).isEqualTo("application/json; charset=utf-8");
      }
    }
  }

  @Test
  void grpcClientsSeeUnauthenticatedAndWithTheTokenTheirAnswer() {
    assertThatThrownBy(() -> SECURED.get().grpc().list())
        .isInstanceOfSatisfying(
            RpcException.class, e -> assertThat(e.code()).isEqualTo("unauthenticated"));
    try (Follower run =
        SECURED.get().grpc().run(Command.sh("echo hello").header("x-access-token", TOKEN))) {
      assertThat(run.stdout()).isEqualTo("hello\n");
    }
  }

  @Test
  void healthNeedsNoToken() {
    assertThat(ask(SECURED.get(), "GET", "/health", "").status()).isEqualTo(204);
    assertThat(
            HealthGrpc.newBlockingStub(SECURED.get().grpcClient().channel())
                .check(HealthCheckRequest.getDefaultInstance())
                .getStatus())
        .isEqualTo(ServingStatus.SERVING);
  }

  @Test
  void theTokenOpensEverything() {
    assertThat(list(SECURED.get(), "X-Access-Token", TOKEN).status()).isEqualTo(200);
    assertThat(ask(SECURED.get(), "GET", "/envs", "", "X-Access-Token", TOKEN).status())
        .isEqualTo(200);
    assertThat(ask(SECURED.get(), "GET", "/envs", "").status()).isEqualTo(401);
  }

  @Test
  void commandsDoNotSeeTheToken() {
    try (Follower run =
        SECURED
            .get()
            .json()
            .run(
                Command.sh(
                        "env; tr '\\0' '\\n' < /proc/self/environ; tr '\\0' '\\n' < /proc/$PPID/environ")
                    .header("X-Access-Token", TOKEN))) {
      assertThat(ProcFs.read(SECURED.get().pid(), "environ"))
          .contains("SANDPIPER_ACCESS_TOKEN=\0")
          .doesNotContain(TOKEN);
      assertThat(run.stdout()).contains("PATH=").doesNotContain(TOKEN);
    }
  }

  @Test
  void aTokenFromAFileIsTheSame() throws IOException {
    Path file = Files.writeString(directory.resolve("token"), "  " + TOKEN + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
    try (AgentProcess agent = AgentProcess.builder().flag("--access-token-file", file).start()) {
      assertThat(list(agent).status()).isEqualTo(401);
      assertThat(list(agent, "X-Access-Token", TOKEN).status()).isEqualTo(200);
      agent
          .records()
          .await(
              "a warning of a file that everybody can read",
              entry -> entry.string("level").equals("WARN") && entry.message().contains("" + file));
    }
  }

  // Browsers, with a token.

  @Test
  void preflightsAreAnsweredForEveryOriginAndPath() {
    for (String path : List.of(START, "/health", "/nothing")) {
      Reply reply =
          ask(
              SECURED.get(),
              "OPTIONS",
              path,
              "",
              "Origin",
              "http://example.com",
              "Access-Control-Request-Method",
              "POST",
              "Access-Control-Request-Headers",
              "content-type,x-access-token");
      assertThat(reply.status()).isEqualTo(204);
      assertThat(reply.header("Access-Control-Allow-Origin")).isEqualTo("*");
      assertThat(reply.header("Access-Control-Allow-Methods")).isEqualTo("POST");
      assertThat(reply.header("Access-Control-Allow-Headers"))
          .isEqualTo("content-type,x-access-token");
      assertThat(reply.header("Access-Control-Max-Age")).isEqualTo("7200");
      assertThat(reply.header("Vary"))
          .contains("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers");
      assertThat(reply.header("Access-Control-Allow-Credentials")).isEmpty();
    }
  }

  @Test
  void aPreflightThatAsksForNothingAllowedIsBare() {
    Reply noOrigin =
        ask(SECURED.get(), "OPTIONS", START, "", "Access-Control-Request-Method", "POST");
    Reply oddMethod =
        ask(
            SECURED.get(),
            "OPTIONS",
            START,
            "",
            "Origin",
            "http://example.com",
            "Access-Control-Request-Method",
            "TRACE");
    for (Reply reply : List.of(noOrigin, oddMethod)) {
      assertThat(reply.status()).isEqualTo(204);
      assertThat(reply.header("Access-Control-Allow-Origin")).isEmpty();
      assertThat(reply.header("Access-Control-Allow-Methods")).isEmpty();
    }
  }

  @Test
  void answersCarryTheHeadersForBrowsers() {
    Reply with = list(SECURED.get(), "Origin", "http://example.com", "X-Access-Token", TOKEN);
    assertThat(with.status()).isEqualTo(200);
    assertThat(with.header("Access-Control-Allow-Origin")).isEqualTo("*");
    assertThat(with.header("Access-Control-Expose-Headers"))
        .contains("Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin", "Location");
    assertThat(with.header("Vary")).contains("Origin");
    Reply without = list(SECURED.get(), "X-Access-Token", TOKEN);
    assertThat(without.header("Access-Control-Allow-Origin")).isEmpty();
    assertThat(without.header("Vary")).contains("Origin");
    assertThat(ask(SECURED.get(), "OPTIONS", START, "").status()).as("no preflight").isEqualTo(401);
    assertThat(ask(SECURED.get(), "OPTIONS", START, "", "X-Access-Token", TOKEN).status())
        .isEqualTo(405);
  }

  // Browsers, without a token.

  @Test
  void withoutATokenThereArePermissionsForNoPage() {
    Reply preflight =
        ask(
            OPEN.get(),
            "OPTIONS",
            START,
            "",
            "Origin",
            "http://example.com",
            "Access-Control-Request-Method",
            "POST");
    assertThat(preflight.status()).isEqualTo(403);
    assertThat(preflight.header("Access-Control-Allow-Origin")).isEmpty();
    assertThat(list(OPEN.get()).header("Vary")).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"evil.example", "evil.example:49983", "localhost.evil.example", "10.0.0.1", "::1"})
  void rebindingReachesNothing(String host) {
    for (String path : List.of("/envs", "/files?path=/etc/passwd", "/metrics")) {
      Reply reply = ask(OPEN.get(), "GET", path, "", "Host", host);
      assertThat(reply.status()).isEqualTo(403);
      assertThat(reply.text()).contains("\"code\":403", "--allowed-host");
    }
    assertThat(ask(OPEN.get(), "GET", "/health", "", "Host", host).status())
        .as("probes have names of their own")
        .isEqualTo(204);
    assertThat(list(OPEN.get(), "Host", host).status()).isEqualTo(403);
    assertThat(init(OPEN.get(), "{}", "Host", host).status()).isEqualTo(403);
  }

  @Test
  void rebindingOverHttp2ReachesNothing() {
    ManagedChannel channel =
        ManagedChannelBuilder.forAddress("127.0.0.1", OPEN.get().port())
            .overrideAuthority("evil.example")
            .usePlaintext()
            .build();
    try {
      assertThatThrownBy(() ->
              HealthGrpc.newBlockingStub(channel).check(HealthCheckRequest.getDefaultInstance()))
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.PERMISSION_DENIED));
    } finally {
      channel.shutdownNow();
    }
  }

  @Test
  void loopbackNamesAndThoseThatWereAllowedAreGood() {
    for (String host : List.of("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:2", "x.localhost")) {
      assertThat(list(OPEN.get(), "Host", host).status()).as(host).isEqualTo(200);
    }
    try (AgentProcess agent =
        AgentProcess.builder().flag("--allowed-host", "agent.internal,*.sandbox.example").start()) {
      for (String host : List.of("agent.internal:49983", "49983-x.sandbox.example", "localhost")) {
        assertThat(list(agent, "Host", host).status()).as(host).isEqualTo(200);
      }
      assertThat(list(agent, "Host", "sandbox.example").status()).isEqualTo(403);
    }
  }

  @Test
  void aPageCannotEvenSendWhatNeedsNoPermission() throws IOException {
    // A form or a fetch without preflight, from a page that the user looks at.
    Path target = directory.resolve("planted");
    String form =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"planted\"\r\n\r\nevil\r\n--b--\r\n";
    for (String origin : List.of("http://evil.example", "null", "http://localhost:3000")) {
      Reply upload =
          ask(
              OPEN.get(),
              "POST",
              "/files?path=" + target,
              form,
              "Content-Type",
              "multipart/form-data; boundary=b",
              "Origin",
              origin);
      assertThat(upload.status()).isEqualTo(403);
      Reply init =
          init(
              OPEN.get(),
              "{\"accessToken\":\"evil\"}",
              "Content-Type",
              "text/plain",
              "Origin",
              origin);
      assertThat(init.status()).isEqualTo(403);
    }
    assertThat(ask(OPEN.get(), "GET", "/envs", "", "Sec-Fetch-Site", "cross-site").status())
        .isEqualTo(403);
    assertThat(target).doesNotExist();
    assertThat(list(OPEN.get()).status()).as("no token was set").isEqualTo(200);
  }

  // /init.

  @Test
  void initSetsWhatEveryCommandGets() {
    try (AgentProcess agent = AgentProcess.start()) {
      Reply reply =
          init(
              agent,
              "{\"ENVVARS\":{\"A\":\"1\",\"E2B_SANDBOX\":\"x\"},\"defaultWorkdir\":\"/tmp\"}");
      assertThat(reply.status()).isEqualTo(204);
      assertThat(reply.header("X-Envd-Version")).isEqualTo("0.6.13");
      assertThat(reply.header("Cache-Control")).isEqualTo("no-store");
      Json envs = ask(agent, "GET", "/envs", "").json();
      assertThat(envs.string("A")).isEqualTo("1");
      assertThat(envs.string("E2B_SANDBOX")).isEqualTo("false");
      try (Follower run = agent.json().run(Command.sh("echo $A $E2B_SANDBOX $PWD"))) {
        assertThat(run.stdout()).isEqualTo("1 false /tmp\n");
      }
      assertThat(init(agent, "{\"envVars\":{}}").status()).isEqualTo(204);
      try (Follower run = agent.json().run(Command.sh("echo ${A-none}"))) {
        assertThat(run.stdout()).isEqualTo("none\n");
      }
      for (String bad : List.of("{", "{\"accessToken\":\"\"}", "[]")) {
        Reply refused = init(agent, bad);
        assertThat(refused.status()).isEqualTo(400);
        assertThat(refused.text()).isEmpty();
        assertThat(refused.header("X-Envd-Version")).isEqualTo("0.6.13");
      }
    }
  }

  @Test
  void aNewTokenHoldsAtOnceAlsoOnConnectionsThatAreOpen() {
    try (AgentProcess agent = AgentProcess.start();
        HttpConnection kept = agent.http()) {
      assertThat(list(kept).status()).isEqualTo(200);
      assertThat(init(agent, "{\"accessToken\":\"first\"}").status()).isEqualTo(204);
      assertThat(list(kept).status()).isEqualTo(401);
      assertThat(list(kept, "X-Access-Token", "first").status()).isEqualTo(200);
      assertThat(init(agent, "{\"accessToken\":\"second\"}").text())
          .isEqualTo("access token validation failed\n");
      assertThat(init(agent, "{}").text()).isEqualTo("access token reset not authorized\n");
      assertThat(init(agent, "{\"accessToken\":\"second\"}", "X-Access-Token", "first").status())
          .isEqualTo(204);
      assertThat(list(kept, "X-Access-Token", "first").status()).isEqualTo(401);
      assertThat(list(kept, "X-Access-Token", "second").status()).isEqualTo(200);
    }
  }

  @Test
  void untilTheFirstInitNothingElsePasses() {
    try (AgentProcess agent = AgentProcess.builder().flag("--await-init", "true").start();
        HttpConnection kept = agent.http()) {
      for (String path : List.of("/envs", "/files?path=/etc/passwd", "/metrics", "/nothing")) {
        Reply reply = ask(agent, "GET", path, "", "Host", "10.1.2.3:49983");
        assertThat(reply.status()).isEqualTo(401);
        assertThat(reply.text()).startsWith("{\"code\":401,\"message\":\"envd not initialized");
      }
      assertThat(list(kept).status()).isEqualTo(401);
      assertThatThrownBy(() -> agent.grpc().list())
          .isInstanceOfSatisfying(
              RpcException.class, e -> assertThat(e.code()).isEqualTo("unauthenticated"));
      assertThat(
              HealthGrpc.newBlockingStub(agent.grpcClient().channel())
                  .check(HealthCheckRequest.getDefaultInstance())
                  .getStatus())
          .isEqualTo(ServingStatus.SERVING);
      assertThat(init(agent, "{\"envVars\":{}}").status()).as("no token in it").isEqualTo(400);
      assertThat(
              init(agent, "{\"accessToken\":\"evil\"}", "Origin", "http://evil.example").status())
          .isEqualTo(403);
      assertThat(init(agent, "{\"accessToken\":\"first\"}", "Host", "10.1.2.3").status())
          .isEqualTo(204);
      assertThat(list(kept).status()).isEqualTo(401);
      assertThat(list(kept, "X-Access-Token", "first").status()).isEqualTo(200);
    }
  }

  @Test
  void aOneTimeSecretOpensTheFirstInitAndNoOther() throws IOException {
    Path file = Files.writeString(directory.resolve("secret"), "open sesame\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    try (AgentProcess agent =
        AgentProcess.builder()
            .flag("--await-init", "true")
            .flag("--init-secret-file", file)
            .start()) {
      String header = "X-Sandpiper-Init-Secret";
      assertThat(init(agent, "{\"accessToken\":\"first\"}").status()).isEqualTo(401);
      assertThat(init(agent, "{\"accessToken\":\"first\"}", header, "open").status())
          .isEqualTo(401);
      assertThat(init(agent, "{\"accessToken\":\"first\"}", header, "").status()).isEqualTo(401);
      assertThat(init(agent, "{}", header, "open sesame").status()).isEqualTo(400);
      assertThat(init(agent, "{\"accessToken\":\"first\"}", header, "open sesame").status())
          .isEqualTo(204);
      assertThat(list(agent, "X-Access-Token", "first").status()).isEqualTo(200);
      assertThat(init(agent, "{\"accessToken\":\"second\"}", header, "open sesame").status())
          .isEqualTo(401);
      assertThat(init(agent, "{\"accessToken\":\"first\"}").status()).isEqualTo(204);
    }
  }

  // Signed URLs.

  private static String signed(String operation, String path, String rest) throws Exception {
    byte[] hash =
        MessageDigest.getInstance("SHA-256")
            .digest(
                (path + ":" + operation + "::" + TOKEN + rest).getBytes(StandardCharsets.UTF_8));
    String signature = "v1_" + Base64.getEncoder().withoutPadding().encodeToString(hash);
    return "/files?path="
        + path
        + "&signature="
        + signature.replace("+", "%2B").replace("/", "%2F")
        + (rest.isEmpty() ? "" : "&signature_expiration=" + rest.substring(1));
  }

  @Test
  void signedUrlsReadAndWriteWithoutTheToken() throws Exception {
    AgentProcess agent = SECURED.get();
    String path = directory.resolve("signed").toString();
    String type = "application/octet-stream";
    String later = ":" + (System.currentTimeMillis() / 1000 + 600);
    assertThat(ask(agent, "POST", signed("write", path, ""), "one", "Content-Type", type).status())
        .isEqualTo(200);
    assertThat(ask(agent, "GET", signed("read", path, ""), "").text()).isEqualTo("one");
    assertThat(
            ask(agent, "POST", signed("write", path, later), "two", "Content-Type", type).status())
        .isEqualTo(200);
    assertThat(ask(agent, "GET", signed("read", path, later), "").text()).isEqualTo("two");

    assertRefused("GET", signed("write", path, ""), "invalid signature");
    assertRefused("POST", signed("read", path, ""), "invalid signature");
    assertRefused("GET", signed("read", path, "").replace(path, path + "x"), "invalid signature");
    assertRefused("GET", signed("read", path, ":1"), "signature is already expired");
    assertRefused("GET", "/files?path=" + path, "missing signature query parameter");
    Reply wrong = ask(agent, "GET", signed("read", path, ""), "", "X-Access-Token", "x");
    assertThat(wrong.status()).isEqualTo(401);
    assertThat(wrong.json().string("message"))
        .isEqualTo("access token present in header but does not match");
    Reply noNumber = ask(agent, "GET", signed("read", path, ":soon"), "");
    assertThat(noNumber.status()).isEqualTo(400);
    assertThat(noNumber.header("Content-Type")).startsWith("text/plain");
    assertThat(noNumber.text()).startsWith("Invalid format for parameter signature_expiration:");
    assertThat(Files.readString(Path.of(path))).isEqualTo("two");
  }

  private static void assertRefused(String method, String target, String message) {
    Reply reply =
        ask(SECURED.get(), method, target, "x", "Content-Type", "application/octet-stream");
    assertThat(reply.status()).isEqualTo(401);
    assertThat(reply.text()).isEqualTo("{\"code\":401,\"message\":\"" + message + "\"}\n");
  }

  // The start.

  private Shell.Result serve(Map<String, String> environment, String... arguments) {
    List<String> command = new ArrayList<>(List.of(AgentProcess.executable().toString(), "serve"));
    command.addAll(List.of("--port", "0", "--state-dir", directory.resolve("state").toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().keySet().removeIf(name -> name.startsWith("SANDPIPER_"));
    builder.environment().putAll(environment);
    return Shell.run(builder, 60);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.0.0.0", "::", "127.0.0.1,0.0.0.0"})
  void beyondTheLoopbackTheStartAsksWhoMayCall(String listen) {
    Shell.Result result = serve(Map.of(), "--listen", listen);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.stdout()).isEmpty();
    assertThat(result.stderr())
        .contains("--listen", "--access-token-file", "--await-init", "--allow-unauthenticated")
        .contains("SANDPIPER_ACCESS_TOKEN", "SANDPIPER_AWAIT_INIT");
  }

  @Test
  void aTokenOnTheCommandLineIsRefusedAndNotRepeated() {
    Shell.Result result = serve(Map.of(), "--access-token=" + TOKEN);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.stderr()).contains("SANDPIPER_ACCESS_TOKEN").doesNotContain(TOKEN);
    Shell.Result missing = serve(Map.of(), "--access-token-file", "/nowhere/token");
    assertThat(missing.exitCode()).isEqualTo(2);
    assertThat(missing.stderr())
        .contains("--access-token-file", "/nowhere/token", "does not exist");
  }

  // `sandpiper run`.

  private Shell.Result run(Map<String, String> environment, String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                AgentProcess.executable().toString(),
                "run",
                "--port",
                Integer.toString(SECURED.get().port())));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().keySet().removeIf(name -> name.startsWith("SANDPIPER_"));
    builder.environment().putAll(environment);
    builder.redirectInput(Path.of("/dev/null").toFile());
    return Shell.run(builder, 60);
  }

  @Test
  void runShowsTheTokenItWasGiven() throws IOException {
    String file = Files.writeString(directory.resolve("token"), TOKEN + "\n").toString();
    String[] command = {"--", "echo", "hello"};
    assertThat(run(Map.of("SANDPIPER_ACCESS_TOKEN", TOKEN), command).requireSuccess().stdout())
        .isEqualTo("hello\n");
    assertThat(run(Map.of("SANDPIPER_ACCESS_TOKEN_FILE", file), command).requireSuccess().stdout())
        .isEqualTo("hello\n");
    assertThat(
            run(Map.of(), "--access-token-file", file, "--", "echo", "hello")
                .requireSuccess()
                .stdout())
        .isEqualTo("hello\n");
  }

  @Test
  void runSaysThatATokenIsNeeded() {
    for (Map<String, String> environment :
        List.of(Map.<String, String>of(), Map.of("SANDPIPER_ACCESS_TOKEN", "wrong"))) {
      Shell.Result result = run(environment, "--", "echo", "hello");
      assertThat(result.exitCode()).isEqualTo(125);
      assertThat(result.stdout()).isEmpty();
      assertThat(result.stderr())
          .contains("access token", "SANDPIPER_ACCESS_TOKEN", "--access-token-file")
          .doesNotContain("wrong");
    }
  }

  // What is written down.

  @Test
  void noSecretReachesALogLineOrARecord() throws Exception {
    String mark = "s3cret";
    String errors;
    Records records;
    try (AgentProcess agent =
        AgentProcess.builder()
            .flag("--log-level", "debug")
            .flag("--output-records", "false")
            .environment("SANDPIPER_INIT_SECRET", mark + "-init")
            .start()) {
      String token = mark + "-token";
      String[] secret = {"X-Sandpiper-Init-Secret", mark + "-init"};
      init(agent, "{\"accessToken\":\"" + mark + "-none\"}");
      init(agent, "{\"accessToken\":\"" + mark, secret);
      init(agent, "{\"accessToken\":\"" + mark + "\\u0041\"}", secret);
      init(agent, "{\"envVars\":{\"A\":\"" + mark + "\\u0000\"}}", secret);
      init(agent, "{\"caBundle\":\"" + mark + "\"}", secret);
      assertThat(
              init(
                      agent,
                      "{\"accessToken\":\"" + token + "\",\"envVars\":{\"A\":\"" + mark + "-a\"}}",
                      secret)
                  .status())
          .isEqualTo(204);
      init(agent, "{\"accessToken\":\"" + mark + "-other\"}");
      list(agent, "X-Access-Token", mark + "-wrong");
      list(agent, "X-Access-Token", token, "Authorization", "Basic " + mark);
      ask(agent, "GET", "/files?path=/x&signature=v1_" + mark, "");
      ask(agent, "POST", "/files?path=/x&signature=v1_" + mark + "&signature_expiration=1", "x");
      ask(agent, "GET", "/envs", "", "X-Access-Token", token);
      Processes processes = agent.json();
      try (Follower run =
          processes.start(
              Command.of("cat", mark + "-argument")
                  .env("B", mark + "-b")
                  .stdin()
                  .header("X-Access-Token", token))) {
        run.pid();
        ask(
            agent,
            "POST",
            "/process.Process/SendInput",
            "{\"process\":{\"pid\":"
                + run.pid()
                + "},\"input\":{\"stdin\":\""
                + Base64.getEncoder().encodeToString(mark.getBytes(StandardCharsets.UTF_8))
                + "\"}}",
            "Content-Type",
            "application/json",
            "X-Access-Token",
            token);
        run.over();
      }
      // Requests that fail, in every way in which one can.
      for (String body :
          List.of("{\"process\":{\"cmd\":\"" + mark, "{\"process\":{\"envs\":\"" + mark + "\"}}")) {
        for (String path : List.of(LIST, START, "/process.Process/SendInput")) {
          ask(
              agent,
              "POST",
              path,
              body,
              "Content-Type",
              "application/json",
              "X-Access-Token",
              token);
        }
      }
      try (HttpConnection broken = agent.http()) {
        broken
            .write(
                ("GET /" + mark + " HTTP/9\r\nX-Access-Token " + mark + "\r\n\r\n")
                    .getBytes(StandardCharsets.UTF_8))
            .reply();
      }
      agent.signal("TERM");
      agent.awaitExit();
      errors = agent.stderr();
      records = agent.records();
    }
    String everything = records.all().toString();
    assertThat(errors).doesNotContain(mark);
    assertThat(everything).contains("sandpiper").doesNotContain(mark);
    assertThat(everything)
        .doesNotContain(Base64.getEncoder().encodeToString(mark.getBytes(StandardCharsets.UTF_8)));
  }
}

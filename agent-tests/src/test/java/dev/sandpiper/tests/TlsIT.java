package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Certificates;
import dev.sandpiper.tests.harness.Certificates.Identity;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.ConnectClient;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.GrpcClient;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.Records;
import dev.sandpiper.tests.harness.RpcClient;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Shell;
import io.grpc.Grpc;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// TLS on the port, from its settings to calls, with certificates that are made for each test.
final class TlsIT {
  @TempDir Path directory;
  private Certificates certificates;
  private Identity server;

  @BeforeEach
  void makeCertificate() {
    certificates = new Certificates(directory);
    server = certificates.identity("server");
  }

  private AgentProcess.Builder agent() {
    return AgentProcess.builder()
        .tls(server.certificate(), server.key())
        .flag("--output-records", false); // megabytes of which are beside the point here
  }

  private static ConnectClient connect(AgentProcess agent, SSLContext tls) {
    return ConnectClient.withTls(agent.port(), ConnectClient.Codec.JSON, tls);
  }

  private GrpcClient grpc(AgentProcess agent, @Nullable Identity own) {
    try {
      TlsChannelCredentials.Builder credentials =
          TlsChannelCredentials.newBuilder().trustManager(server.certificate().toFile());
      if (own != null) {
        credentials.keyManager(own.certificate().toFile(), own.key().toFile());
      }
      return new GrpcClient(
          Grpc.newChannelBuilderForAddress("localhost", agent.port(), credentials.build()).build());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void assertRuns(RpcClient client) {
    Follower run =
        new Processes(client)
            .run(Command.sh("echo over TLS; head -c 3000000 /dev/zero | tr '\\0' x; exit 3"));
    assertThat(run.stdout()).startsWith("over TLS\nxxx");
    assertThat(run.bytes()).isEqualTo(3_000_009);
    assertThat(run.end().exitCode()).isEqualTo(3);
  }

  private static Path image() {
    return AgentProcess.executable();
  }

  private static String alpn(AgentProcess agent, SSLContext tls, String... offered)
      throws IOException {
    try (var socket = (SSLSocket) tls.getSocketFactory().createSocket("localhost", agent.port())) {
      var parameters = socket.getSSLParameters();
      parameters.setApplicationProtocols(offered);
      socket.setSSLParameters(parameters);
      socket.startHandshake();
      return socket.getApplicationProtocol();
    }
  }

  @Test
  void alpnPicksTheProtocolAndCallsRunOverEach() throws IOException {
    SSLContext tls = Certificates.client(null, server);
    try (AgentProcess agent = agent().start();
        GrpcClient grpc = grpc(agent, null)) {
      assertThat(alpn(agent, tls, "h2", "http/1.1")).isEqualTo("h2");
      assertThat(alpn(agent, tls, "http/1.1", "h2")).isEqualTo("h2");
      assertThat(alpn(agent, tls, "http/1.1")).isEqualTo("http/1.1");
      assertThat(alpn(agent, tls, "something/else")).isEmpty();
      assertThat(alpn(agent, tls)).isEmpty();
      assertRuns(connect(agent, tls));
      assertRuns(grpc);
    }
  }

  @Test
  void plainTextIsToldThatThePortSpeaksTls() {
    try (AgentProcess agent = agent().start();
        HttpConnection plain = agent.http()) {
      plain.send("POST", "/process.Process/List", Map.of("Content-Type", "application/json"));
      HttpConnection.Reply reply = plain.reply();
      assertThat(reply.status()).isEqualTo(400);
      assertThat(reply.text()).isEqualTo("this port speaks TLS: use https\n");
      assertThatThrownBy(agent.grpc()::list).isInstanceOf(RpcException.class);
    }
  }

  @Test
  void clientsWithoutACertificateOfTheAuthorityAreRefused() {
    Identity authority = certificates.authority("authority");
    Identity friend = certificates.identity("friend", "authority");
    Identity stranger = certificates.identity("stranger");
    try (AgentProcess agent = agent().flag("--tls-client-ca", authority.certificate()).start();
        GrpcClient friendly = grpc(agent, friend);
        GrpcClient strange = grpc(agent, stranger);
        GrpcClient bare = grpc(agent, null)) {
      assertRuns(connect(agent, Certificates.client(friend, server)));
      assertRuns(friendly);
      for (Identity own : new @Nullable Identity[] {stranger, null}) {
        assertThatThrownBy(
                () -> new Processes(connect(agent, Certificates.client(own, server))).list())
            .isInstanceOfAny(UncheckedIOException.class, HttpConnection.Cut.class);
      }
      for (GrpcClient refused : List.of(strange, bare)) {
        assertThatThrownBy(new Processes(refused)::list).isInstanceOf(RpcException.class);
      }
    }
  }

  private static String serialSeen(AgentProcess agent, SSLContext tls) {
    try (HttpConnection connection = HttpConnection.to(agent.port(), tls)) {
      return connection.peer().getSerialNumber().toString(16);
    }
  }

  /// As tools do it: a new file that takes the old one's name.
  private static void replace(Path file, Path by) throws IOException {
    Path beside = file.resolveSibling(file.getFileName() + ".new");
    Files.copy(by, beside, StandardCopyOption.REPLACE_EXISTING);
    Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
  }

  @Test
  void newFilesAreTakenForNewConnectionsWhileOldOnesGoOn() throws IOException {
    Identity next = certificates.identity("next");
    SSLContext tls = Certificates.client(null, server, next);
    Path certificate = Files.copy(server.certificate(), directory.resolve("in-use.crt"));
    Path key = Files.copy(server.key(), directory.resolve("in-use.key"));
    try (AgentProcess agent = AgentProcess.builder().tls(certificate, key).start()) {
      Processes processes = new Processes(connect(agent, tls));
      try (Follower old = processes.start(Command.of("cat").stdin())) {
        int pid = old.pid();
        assertThat(serialSeen(agent, tls)).isEqualTo(server.serial());
        replace(key, next.key());
        replace(certificate, next.certificate());
        await()
            .atMost(Duration.ofSeconds(20))
            .until(() -> serialSeen(agent, tls).equals(next.serial()));
        processes.sendStdin(pid, "still here\n");
        old.await("stdout", "still here\n");
        processes.closeStdin(pid);
        assertThat(old.end().exitCode()).isZero();
      }
      agent
          .records()
          .await("the new serial number", record -> record.message().contains(next.serial()));
    }
  }

  private static List<Records.Entry> refusals(AgentProcess agent) {
    return agent.records().all().stream()
        .filter(record -> record.string("level").equals("ERROR"))
        .toList();
  }

  private static void awaitRefusals(AgentProcess agent, SSLContext tls, int count, Identity still) {
    await()
        .atMost(Duration.ofSeconds(20))
        .untilAsserted(() -> {
          assertThat(serialSeen(agent, tls)).isEqualTo(still.serial());
          assertThat(refusals(agent)).hasSize(count);
        });
  }

  @Test
  void badFilesAreRefusedOnceForEachChangeAndTheOldOnesStay() throws IOException {
    Identity next = certificates.identity("next");
    SSLContext tls = Certificates.client(null, server, next);
    Path certificate = Files.copy(server.certificate(), directory.resolve("in-use.crt"));
    Path key = Files.copy(server.key(), directory.resolve("in-use.key"));
    try (AgentProcess agent = AgentProcess.builder().tls(certificate, key).start()) {
      String half = Files.readString(next.certificate());
      Files.writeString(certificate, half.substring(0, half.length() / 2));
      awaitRefusals(agent, tls, 1, server);
      Files.delete(certificate);
      awaitRefusals(agent, tls, 2, server);
      Files.copy(next.certificate(), certificate);
      awaitRefusals(agent, tls, 3, server); // the key is still the old one
      replace(key, next.key());
      await()
          .atMost(Duration.ofSeconds(20))
          .until(() -> serialSeen(agent, tls).equals(next.serial()));
      assertThat(refusals(agent).stream().map(Records.Entry::message))
          .hasSize(3)
          .allMatch(message -> message.contains("the old ones stay in use"))
          .satisfiesExactly(
              message -> assertThat(message).contains("--tls-cert: '" + certificate + "' holds no"),
              message ->
                  assertThat(message).contains("--tls-cert: '" + certificate + "' does not exist"),
              message ->
                  assertThat(message)
                      .contains("--tls-key: '" + key + "' is not the key of the certificate"));
    }
  }

  private void assertStartRefused(String complaint, String... flags) {
    List<String> command = new ArrayList<>(List.of(image().toString(), "serve", "--port=0"));
    command.add("--state-dir=" + directory.resolve("state"));
    command.addAll(List.of(flags));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().keySet().removeIf(name -> name.startsWith("SANDPIPER_"));
    Shell.Result result = Shell.run(builder, 30);
    assertThat(result.stderr()).as(List.of(flags).toString()).contains(complaint);
    assertThat(result.exitCode()).as(result.stderr()).isEqualTo(2);
    assertThat(result.stdout()).doesNotContain("listens at");
  }

  @Test
  void settingsThatDoNotGoTogetherStopTheStart() {
    assertStartRefused(
        "--tls-cert: is given without --tls-key", "--tls-cert=" + server.certificate());
    assertStartRefused("--tls-key: is given without --tls-cert", "--tls-key=" + server.key());
    assertStartRefused(
        "--tls-client-ca: is given without --tls-cert and --tls-key",
        "--tls-client-ca=" + server.certificate());
  }

  @Test
  void filesThatCannotBeUsedStopTheStartAndAreNamed() {
    Path missing = directory.resolve("missing.pem");
    Path text = certificates.write("text.pem", "no PEM at all\n");
    Path encrypted =
        certificates.write(
            "encrypted.pem", Certificates.pem("ENCRYPTED PRIVATE KEY", new byte[] {1, 2, 3}));
    Identity other = certificates.identity("other");
    String cert = "--tls-cert=" + server.certificate();
    String key = "--tls-key=" + server.key();
    assertStartRefused(
        "--tls-cert: '" + missing + "' does not exist", "--tls-cert=" + missing, key);
    assertStartRefused("--tls-key: '" + missing + "' does not exist", cert, "--tls-key=" + missing);
    assertStartRefused(
        "--tls-key: '" + directory + "' is not a file", cert, "--tls-key=" + directory);
    assertStartRefused("--tls-cert: '" + text + "' holds no cert", "--tls-cert=" + text, key);
    assertStartRefused("--tls-key: '" + text + "' holds no private", cert, "--tls-key=" + text);
    assertStartRefused(
        "--tls-key: '" + encrypted + "' holds an encrypted private key",
        cert,
        "--tls-key=" + encrypted);
    assertStartRefused(
        "--tls-key: '"
            + other.key()
            + "' is not the key of the certificate in '"
            + server.certificate()
            + "' (--tls-cert)",
        cert,
        "--tls-key=" + other.key());
    assertStartRefused(
        "--tls-client-ca: '" + text + "' holds no certificate",
        cert,
        key,
        "--tls-client-ca=" + text);
  }

  /// What a sandbox without TLS must not pay for.
  @Test
  void noClassOfTlsIsLoadedWithoutACertificate() {
    try (AgentProcess plain = AgentProcess.start();
        AgentProcess secure = agent().start()) {
      assertThat(plain.json().run(Command.of("true")).end()).isInstanceOf(Event.End.class);
      assertRuns(connect(secure, Certificates.client(null, server)));
      assertThat(classesOfTls(plain)).isEmpty();
      assertThat(classesOfTls(secure)).isNotEmpty();
    }
  }

  private static Stream<String> classesOfTls(AgentProcess agent) {
    Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
    return Shell.run(jcmd.toString(), Long.toString(agent.pid()), "VM.class_hierarchy")
        .requireSuccess()
        .stdout()
        .lines()
        .filter(line ->
            line.contains("io.netty.handler.ssl.")
                || line.contains("sun.security.ssl.")
                || line.contains("agent.http.Tls"));
  }
}

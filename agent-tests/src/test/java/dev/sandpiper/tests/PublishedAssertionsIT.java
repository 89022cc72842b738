package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Message;
import dev.sandpiper.proto.filesystem.CreateWatcherRequest;
import dev.sandpiper.proto.filesystem.EntryInfo;
import dev.sandpiper.proto.filesystem.EventType;
import dev.sandpiper.proto.filesystem.FilesystemEvent;
import dev.sandpiper.proto.filesystem.FilesystemGrpc;
import dev.sandpiper.proto.filesystem.GetWatcherEventsRequest;
import dev.sandpiper.proto.filesystem.ListDirRequest;
import dev.sandpiper.proto.filesystem.MakeDirRequest;
import dev.sandpiper.proto.filesystem.RemoveWatcherRequest;
import dev.sandpiper.proto.filesystem.StatRequest;
import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Background;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.ConnectClient;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Shell;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the tests that E2B publishes for its own daemon assert, in the binary form of Connect that they use.
///
/// What the tests of E2B's packages assert is in the cases of [NodeSdkIT] and [PythonSdkIT]; a working directory that may
/// not be entered is in [SpawnFailureIT].
final class PublishedAssertionsIT {
  private static final String TOKEN = "0tQG31xiMp0IOQfaz9dcwi72L1CPo8e0";

  private static @Nullable Account account;
  private static AgentProcess open;
  private static AgentProcess secured;

  @TempDir Path directory;

  @BeforeEach
  void openToEveryUser() throws IOException {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
  }

  @BeforeAll
  static void start() {
    AgentProcess.Builder builder = AgentProcess.builder();
    if (Account.isRoot()) {
      account = new Account();
      builder.flag("--default-user", account.name());
    }
    open = builder.start();
    secured = AgentProcess.builder().flag("--await-init", true).start();
    HttpConnection.Reply set =
        post(secured, "/init", "application/json", "{\"accessToken\":\"" + TOKEN + "\"}");
    assertThat(set.status()).as("POST /init: %s", set.text()).isEqualTo(204);
  }

  @AfterAll
  static void stop() {
    secured.close();
    open.close();
    if (account != null) {
      account.close();
    }
  }

  private static String user() {
    return account == null ? Shell.run("id", "-un").stdout().strip() : account.name();
  }

  private static String group() {
    return account == null ? Shell.run("id", "-gn").stdout().strip() : account.name();
  }

  private static Path home() {
    return account == null ? Path.of(System.getProperty("user.home")) : account.home();
  }

  private static HttpConnection.Reply post(
      AgentProcess agent, String path, String type, String body) {
    try (HttpConnection connection = agent.http()) {
      return connection
          .send("POST", path, Map.of("Content-Type", type), body.getBytes(StandardCharsets.UTF_8))
          .reply();
    }
  }

  private static HttpConnection.Reply get(AgentProcess agent, String path) {
    try (HttpConnection connection = agent.http()) {
      return connection.send("GET", path, Map.of()).reply();
    }
  }

  private static void upload(Object path, String text) {
    HttpConnection.Reply reply =
        post(open, "/files?path=" + encode(path), "application/octet-stream", text);
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
  }

  private static String encode(Object text) {
    return URLEncoder.encode(text.toString(), StandardCharsets.UTF_8);
  }

  private static <Q extends Message, R extends Message> R call(
      AgentProcess agent, MethodDescriptor<Q, R> method, Q request) {
    try (ConnectClient client = new ConnectClient(agent.port(), ConnectClient.Codec.BINARY)) {
      return client.unary(method, request, Map.of());
    }
  }

  private static EntryInfo stat(Object path) {
    return call(
            open,
            FilesystemGrpc.getStatMethod(),
            StatRequest.newBuilder().setPath(path.toString()).build())
        .getEntry();
  }

  @Test
  void anUploadedFileHasModeOwnerSizeAndTime() {
    Path file = home().resolve("published/test.txt");
    upload("published/test.txt", "Hello, World!");

    EntryInfo entry = stat(file);

    assertThat(entry.getName()).isEqualTo("test.txt");
    assertThat(entry.getPath()).isEqualTo(file.toString());
    assertThat(entry.getSize()).isEqualTo(13);
    assertThat(entry.getMode()).isEqualTo(0644);
    assertThat(entry.getPermissions()).isEqualTo("-rw-r--r--");
    assertThat(entry.getOwner()).isEqualTo(user());
    assertThat(entry.getGroup()).isEqualTo(group());
    assertThat(entry.getModifiedTime().getSeconds())
        .isBetween(
            Instant.now().minusSeconds(60).getEpochSecond(),
            Instant.now().plusSeconds(60).getEpochSecond());
    Shell.run("rm", "-r", home().resolve("published").toString()).requireSuccess();
  }

  @Test
  void aMadeDirectoryHasModeAndOwner() {
    EntryInfo made =
        call(
                open,
                FilesystemGrpc.getMakeDirMethod(),
                MakeDirRequest.newBuilder().setPath(directory.resolve("dir").toString()).build())
            .getEntry();

    assertThat(made.getMode()).isEqualTo(0755);
    assertThat(made.getPermissions()).isEqualTo("drwxr-xr-x");
    assertThat(made.getOwner()).isEqualTo(user());
    assertThat(made.getGroup()).isEqualTo(group());
  }

  @Test
  void aRelativePathIsListedBelowTheHomeOfTheUser() {
    upload("published-list/sub/file.txt", "x");

    List<String> paths =
        call(
                open,
                FilesystemGrpc.getListDirMethod(),
                ListDirRequest.newBuilder().setPath("published-list").setDepth(2).build())
            .getEntriesList()
            .stream()
            .map(EntryInfo::getPath)
            .toList();

    Path root = home().resolve("published-list");
    assertThat(paths)
        .containsExactly(root.resolve("sub").toString(), root.resolve("sub/file.txt").toString());
    Shell.run("rm", "-r", root.toString()).requireSuccess();
  }

  @Test
  void concurrentUploadsOfDistinctFilesAllSucceed() throws IOException {
    List<CompletableFuture<Void>> uploads = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      int n = i;
      uploads.add(Background.run(() -> upload(directory.resolve("file" + n), "text " + n)));
    }
    uploads.forEach(CompletableFuture::join);
    for (int i = 0; i < uploads.size(); i++) {
      assertThat(directory.resolve("file" + i)).hasContent("text " + i);
    }
  }

  @Test
  void refusedDownloadsHaveTheseBodies() {
    assertError(
        get(
            secured,
            "/files?path=hello.txt&username=user&signature_expiration=1&signature="
                + encode(sign("hello.txt:read:user:" + TOKEN + ":1"))),
        "{\"code\":401,\"message\":\"signature is already expired\"}");
    assertError(
        get(secured, "/files?path=hello.txt&username=user&signature=v1_wrong"),
        "{\"code\":401,\"message\":\"invalid signature\"}");
    Path missing = directory.resolve("missing");
    assertError(
        get(open, "/files?path=" + encode(missing)),
        "{\"code\":404,\"message\":\"path '" + missing + "' does not exist\"}");
  }

  private static void assertError(HttpConnection.Reply reply, String body) {
    assertThat(reply.json()).isEqualTo(Json.parse(body));
    assertThat(reply.status()).isEqualTo((int) Json.parse(body).number("code"));
    assertThat(reply.header("Content-Type")).startsWith("application/json");
  }

  private static String sign(String text) {
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return "v1_" + Base64.getEncoder().withoutPadding().encodeToString(hash);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  /// E2B's own signature of this file, user and token is taken.
  @Test
  void aSignatureMadeElsewhereIsTaken() {
    HttpConnection.Reply reply =
        get(
            secured,
            "/files?path=hello.txt&username=user&signature="
                + encode("v1_gUtH/s9YCJWgCizjfUxuWfhFE4QSydOWEIIvfLwDr6E"));

    assertThat(reply.text()).as("past the signature").doesNotContain("signature");
  }

  @Test
  void aCallWithoutTheTokenIsAnswered401InPlainHttp() {
    for (String type : List.of("application/json", "application/proto")) {
      assertError(
          post(secured, "/filesystem.Filesystem/Stat", type, "{\"path\":\"/\"}"),
          "{\"code\":401,\"message\":\"unauthorized access, please provide a valid access token or"
              + " method signing if supported\"}");
    }
  }

  @Test
  void aWorkingDirectoryThatWasDeletedFailsTheStart() throws IOException {
    Path gone = Files.createDirectory(directory.resolve("gone"));
    Files.delete(gone);

    try (Follower refused = open.binary().start(Command.of("true").cwd(gone))) {
      assertThat(refused.error().code()).isEqualTo("invalid_argument");
      assertThat(refused.error().detail()).isEqualTo("cwd '" + gone + "' does not exist");
    }
  }

  @Test
  void readingFromAStandardInputThatIsOffEndsWithOne() {
    Follower run = open.binary().run(Command.sh("read line"));

    assertThat(run.end().exitCode()).isEqualTo(1);
  }

  @Test
  void aWatcherIsEmptyThenSeesTheUploadAndIsGoneOnceRemoved() {
    String id =
        call(
                open,
                FilesystemGrpc.getCreateWatcherMethod(),
                CreateWatcherRequest.newBuilder().setPath(directory.toString()).build())
            .getWatcherId();
    assertThat(id).matches("w[a-z0-9]{20}");
    assertThat(events(id)).isEmpty();

    upload(directory.resolve("test.txt"), "Hello");
    List<FilesystemEvent> seen = new ArrayList<>();
    await()
        .until(() -> {
          seen.addAll(events(id));
          return !seen.isEmpty();
        });
    assertThat(seen.getFirst().getType()).isEqualTo(EventType.EVENT_TYPE_CREATE);
    assertThat(seen.getFirst().getName()).isEqualTo("test.txt");

    call(
        open,
        FilesystemGrpc.getRemoveWatcherMethod(),
        RemoveWatcherRequest.newBuilder().setWatcherId(id).build());
    assertThatThrownBy(() -> events(id))
        .isInstanceOfSatisfying(
            RpcException.class, e -> assertThat(e.code()).isEqualTo("not_found"));
  }

  private static List<FilesystemEvent> events(String watcher) {
    return call(
            open,
            FilesystemGrpc.getGetWatcherEventsMethod(),
            GetWatcherEventsRequest.newBuilder().setWatcherId(watcher).build())
        .getEventsList();
  }

  @Test
  void killingOneProcessLeavesTheOthersAndTheDaemon() {
    Processes processes = open.binary();
    try (Follower killed = processes.start(Command.of("sleep", "600"));
        Follower kept = processes.start(Command.of("cat").stdin());
        Follower connected = processes.connect(kept.pid())) {
      processes.kill(killed.pid());
      assertThat(killed.end().status()).isEqualTo("signal: killed");

      processes.closeStdin(kept.pid());
      assertThat(connected.end().exitCode()).isZero();
      assertThat(processes.listed(kept.pid())).isEmpty();
      assertThat(processes.run(Command.of("true")).end().exitCode()).isZero();
    }
  }
}

package dev.sandpiper.tests;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Message;
import dev.sandpiper.proto.filesystem.CreateWatcherRequest;
import dev.sandpiper.proto.filesystem.EntryInfo;
import dev.sandpiper.proto.filesystem.EventType;
import dev.sandpiper.proto.filesystem.FileType;
import dev.sandpiper.proto.filesystem.FilesystemEvent;
import dev.sandpiper.proto.filesystem.FilesystemGrpc;
import dev.sandpiper.proto.filesystem.GetWatcherEventsRequest;
import dev.sandpiper.proto.filesystem.ListDirRequest;
import dev.sandpiper.proto.filesystem.MoveRequest;
import dev.sandpiper.proto.filesystem.StatRequest;
import dev.sandpiper.proto.filesystem.WatchDirRequest;
import dev.sandpiper.proto.filesystem.WatchDirResponse;
import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.ConnectClient;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.MessageStream;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Shell;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Known defects of envd that have to do with files and with who is let in, each with the better behaviour that stays
/// compatible. The table of all of them is in [EnvdDefectsIT].
final class EnvdFileDefectsIT {
  private static final String TOKEN = "a-token-for-this-test";

  @RegisterExtension
  static final Agent AGENT = Agent.with(builder -> builder.flag("--upload-idle-limit", "1s"));

  @RegisterExtension
  static final Agent SECURED =
      Agent.with(builder -> builder.environment("SANDPIPER_ACCESS_TOKEN", TOKEN));

  @TempDir Path temporary;
  private Path directory = Path.of("/");

  @BeforeEach
  void resolve() throws IOException {
    directory = temporary.toRealPath();
  }

  private static <Q extends Message, R extends Message> R call(
      AgentProcess agent, MethodDescriptor<Q, R> method, Q request) {
    try (ConnectClient client = new ConnectClient(agent.port(), ConnectClient.Codec.JSON)) {
      return client.unary(method, request, Map.of());
    }
  }

  private static RpcException failure(Runnable call) {
    try {
      call.run();
    } catch (RpcException e) {
      return e;
    }
    throw new AssertionError("the call was answered");
  }

  private static List<EntryInfo> list(AgentProcess agent, Object path, int depth) {
    return call(
            agent,
            FilesystemGrpc.getListDirMethod(),
            ListDirRequest.newBuilder().setPath(path.toString()).setDepth(depth).build())
        .getEntriesList();
  }

  private static EntryInfo stat(AgentProcess agent, Object path) {
    return call(
            agent,
            FilesystemGrpc.getStatMethod(),
            StatRequest.newBuilder().setPath(path.toString()).build())
        .getEntry();
  }

  private static String files(Object path) {
    return "/files?path=" + URLEncoder.encode(path.toString(), UTF_8);
  }

  private static HttpConnection.Reply get(String target, Map<String, String> headers) {
    try (HttpConnection connection = AGENT.get().http()) {
      return connection.send("GET", target, headers).reply();
    }
  }

  private static HttpConnection.Reply post(
      AgentProcess agent, String target, Map<String, String> headers, String body) {
    try (HttpConnection connection = agent.http()) {
      return connection.send("POST", target, headers, body.getBytes(UTF_8)).reply();
    }
  }

  private static HttpConnection.Reply upload(Object path, String text) {
    return post(AGENT.get(), files(path), Map.of("Content-Type", "application/octet-stream"), text);
  }

  private List<String> names() throws IOException {
    try (Stream<Path> inside = Files.list(directory)) {
      return inside.map(it -> it.getFileName().toString()).sorted().toList();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/proc/version",
        "/proc/self/status",
        "/proc/sys/kernel/ostype",
        "/proc/self/cmdline",
        "/sys/kernel/mm/transparent_hugepage/enabled"
      })
  void virtualFilesAreReadToTheirEnd(String path) {
    if (!Files.exists(Path.of(path))) {
      return; // not with every kernel
    }
    for (String encoding : List.of("identity", "gzip")) {
      HttpConnection.Reply reply = get(files(path), Map.of("Accept-Encoding", encoding));

      assertThat(reply.status()).isEqualTo(200);
      assertThat(reply.body().size()).isPositive();
      assertThat(reply.header("Content-Length"))
          .as("a length is the true one")
          .isIn("", Integer.toString(reply.body().size()));
    }
    assertThat(get(files("/proc/sys/kernel/ostype"), Map.of()).text()).isEqualTo("Linux\n");
  }

  @Test
  void anUploadThatBreaksLeavesTheOldFileAndNoDebris() throws Exception {
    Path file = Files.writeString(directory.resolve("file"), "the old text");
    Map<String, String> headers =
        Map.of("Content-Type", "application/octet-stream", "Content-Length", "1000000");
    try (HttpConnection connection = AGENT.get().http()) {
      connection.send("POST", files(file), headers).write("only this".getBytes(UTF_8));
    }
    try (HttpConnection connection = AGENT.get().http()) {
      connection.send("POST", files(file), headers).write("and then silence".getBytes(UTF_8));
      // An answer, or the end of the connection; either way before long.
      assertThat(connection.closedByPeer(Deadline.in(Deadline.PATIENCE)))
          .as("an answer comes before the end")
          .isFalse();
    }
    await("no debris").untilAsserted(() -> assertThat(names()).containsExactly("file"));
    assertThat(file).hasContent("the old text");
  }

  @Test
  void relativePathsAreBelowTheHomeAndAbsoluteOnesStayAsTheyAre() throws Exception {
    try (AgentProcess agent = AgentProcess.start()) {
      String body = "{\"defaultWorkdir\":" + Json.quote(directory.toString()) + "}";
      assertThat(post(agent, "/init", Map.of("Content-Type", "application/json"), body).status())
          .isEqualTo(204);
      Files.writeString(directory.resolve("file"), "");

      assertThat(failure(() -> stat(agent, "file-of-the-workdir")).detail())
          .contains(System.getProperty("user.home"))
          .doesNotContain(directory.toString());
      Path absolute = Path.of(directory + "/../" + directory.getFileName() + "/file");
      assertThat(stat(agent, absolute).getPath()).isEqualTo(absolute.toString());
      assertThat(stat(agent, "").getPath()).isEqualTo(directory.toString());
    }
  }

  @Test
  void brokenLinksAndSpecialFilesAreListedWithATypeThatIsNone() throws Exception {
    Files.createSymbolicLink(directory.resolve("broken"), Path.of("nowhere"));
    Shell.run("mkfifo", directory.resolve("fifo").toString()).requireSuccess();

    List<EntryInfo> entries = list(AGENT.get(), directory, 1);

    assertThat(entries)
        .extracting(EntryInfo::getName, EntryInfo::getType)
        .containsExactly(
            tuple("broken", FileType.FILE_TYPE_UNSPECIFIED),
            tuple("fifo", FileType.FILE_TYPE_UNSPECIFIED));
    assertThat(entries.get(0).getPermissions()).startsWith("L");
    assertThat(entries.get(0).getSymlinkTarget()).isEqualTo(directory + "/broken");
    assertThat(entries.get(1).getPermissions()).startsWith("p");
  }

  @Test
  void aWatchOfAFileSaysWhatIsWrongAndNoMore() throws Exception {
    Path file = Files.createFile(directory.resolve("file"));

    RpcException polled = failure(() -> createWatcher(AGENT.get(), file));

    assertThat(polled.code()).isEqualTo("invalid_argument");
    assertThat(polled.detail()).contains(file + " not a directory").doesNotContain("%!");
    try (Events streamed = new Events(file, false)) {
      RpcException error = streamed.error();
      assertThat(error.code()).isEqualTo("invalid_argument");
      assertThat(error.detail()).isEqualTo(polled.detail());
    }
  }

  @Test
  void aDownloadForABrowserVariesByOriginAndByEncoding() throws Exception {
    Path file = Files.writeString(directory.resolve("file.txt"), "text");
    try (HttpConnection connection = SECURED.get().http()) {
      HttpConnection.Reply reply =
          connection
              .send(
                  "GET",
                  files(file),
                  Map.of("X-Access-Token", TOKEN, "Origin", "https://example.org"))
              .reply();

      assertThat(reply.status()).isEqualTo(200);
      assertThat(reply.header("Vary").split(", *")).contains("Origin", "Accept-Encoding");
      assertThat(reply.header("Access-Control-Allow-Origin")).isEqualTo("*");
    }
  }

  @Test
  void theAnswerToAnUploadIsTypedAsJson() {
    HttpConnection.Reply reply = upload(directory.resolve("file"), "text");

    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("Content-Type")).startsWith("application/json");
    assertThat(reply.json().array().getFirst().string("path"))
        .isEqualTo(directory.resolve("file").toString());
  }

  @Test
  void aTreeThatAppearsIsReportedWholeAndOnce() throws Exception {
    try (Events events = new Events(directory, true)) {
      events.awaitStart();
      for (int i = 0; i < 25; i++) {
        String root = "tree" + i;
        Shell.run(
                "sh",
                "-c",
                "mkdir -p \"$0/a/b/c\" && echo x > \"$0/a/b/c/f\"",
                directory.resolve(root).toString())
            .requireSuccess();
        String file = root + "/a/b/c/f";
        events.await(EventType.EVENT_TYPE_WRITE, file);
        assertThat(events.of(EventType.EVENT_TYPE_CREATE, root))
            .containsExactlyInAnyOrder(root, root + "/a", root + "/a/b", root + "/a/b/c", file);
      }
    }
  }

  @Test
  void aPollingWatcherIsBoundedAndGoesOnAfterALoss() throws Exception {
    try (AgentProcess agent = AgentProcess.builder().flag("--watch-buffer", "64KiB").start()) {
      String watcher = createWatcher(agent, directory);
      for (int i = 0; i < 10_000; i++) {
        Files.writeString(directory.resolve("a-file-with-a-name-" + i % 100), "x" + i);
      }

      RpcException lost = failure(() -> events(agent, watcher));

      assertThat(lost.code()).isEqualTo("internal");
      assertThat(lost.detail()).contains("lost");
      Files.createFile(directory.resolve("after-the-loss"));
      await()
          .untilAsserted(() ->
              assertThat(events(agent, watcher))
                  .extracting(FilesystemEvent::getName)
                  .contains("after-the-loss"));
    }
  }

  @Test
  void pollingWatchersAreCountedAndExpire() {
    try (AgentProcess agent =
        AgentProcess.builder().flag("--watchers", 1).flag("--watcher-expiry", "1s").start()) {
      String forgotten = createWatcher(agent, directory);
      assertThat(failure(() -> createWatcher(agent, directory)).detail()).contains("1");

      await("another may be made once the first has expired")
          .atMost(Deadline.PATIENCE)
          .ignoreExceptionsInstanceOf(RpcException.class)
          .until(() -> !createWatcher(agent, directory).isEmpty());
      assertThat(failure(() -> events(agent, forgotten)).code()).isEqualTo("not_found");
    }
  }

  @Test
  void aListingGetsPastWhatVanishesAndWhatIsClosed() throws Exception {
    Path churned = Files.createDirectory(directory.resolve("churned"));
    Process churn =
        new ProcessBuilder(
                "sh",
                "-c",
                "cd \"$0\" && while :; do mkdir -p d/e/f && touch d/e/f/x && rm -r d; done",
                churned.toString())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      for (int i = 0; i < 300; i++) {
        assertThat(list(AGENT.get(), directory, 6).getFirst().getName()).isEqualTo("churned");
      }
    } finally {
      churn.destroyForcibly();
      churn.waitFor();
    }
    Files.createDirectories(directory.resolve("closed/inside"));
    Files.createFile(directory.resolve("open"));
    Shell.run("chmod", "0", directory.resolve("closed").toString()).requireSuccess();
    try (Account account = new Account();
        AgentProcess agent = AgentProcess.builder().as(account).start()) {
      Shell.run("chmod", "755", directory.toString()).requireSuccess();
      assertThat(list(agent, directory, 3))
          .extracting(EntryInfo::getName)
          .contains("closed", "open")
          .doesNotContain("inside");
    }
  }

  @Test
  void afterInitNobodyAsksForTheMetadataOfAMachine() throws Exception {
    try (AgentProcess agent = AgentProcess.start()) {
      assertThat(post(agent, "/init", Map.of("Content-Type", "application/json"), "{}").status())
          .isEqualTo(204);
      // envd asks every 50 ms for a minute.
      for (int i = 0; i < 40; i++) {
        agent.json().run(Command.of("true"));
        assertThat(Files.readString(Path.of("/proc", agent.pid() + "/net/tcp")))
            .doesNotContain("FEA9FEA9");
      }
      assertThat(agent.stderr()).doesNotContain("169.254");
    }
  }

  @Test
  void theDefaultUserCanBeSaidBeforeTheFirstInit() {
    try (Account account = new Account();
        AgentProcess agent =
            AgentProcess.builder().flag("--default-user", account.name()).start()) {
      assertThat(agent.json().run(Command.of("id", "-un")).stdout().strip())
          .isEqualTo(account.name());
      post(
          agent, "/init", Map.of("Content-Type", "application/json"), "{\"defaultUser\":\"root\"}");
      assertThat(agent.json().run(Command.of("id", "-un")).stdout().strip()).isEqualTo("root");
    }
  }

  @Test
  void aMoveOfNothingMakesNothing() throws Exception {
    MoveRequest request =
        MoveRequest.newBuilder()
            .setSource(directory.resolve("missing").toString())
            .setDestination(directory.resolve("new/place/file").toString())
            .build();

    RpcException error = failure(() -> call(AGENT.get(), FilesystemGrpc.getMoveMethod(), request));

    assertThat(error.code()).isEqualTo("not_found");
    assertThat(names()).isEmpty();
  }

  @Test
  void aNameThatIsNotUtf8HidesNothingAndEndsNoWatch() throws Exception {
    try (Events events = new Events(directory, false)) {
      events.awaitStart();
      Shell.run(
              "sh",
              "-c",
              "cd \"$0\" && touch \"$(printf 'bad\\377name')\" good",
              directory.toString())
          .requireSuccess();
      events.await(EventType.EVENT_TYPE_CREATE, "good");

      List<String> created = events.of(EventType.EVENT_TYPE_CREATE, "");
      List<String> listed =
          list(AGENT.get(), directory, 1).stream().map(EntryInfo::getName).toList();
      assertThat(created).hasSize(2).containsExactlyElementsOf(listed);
      assertThat(stat(AGENT.get(), directory + "/" + listed.getFirst()).getName())
          .isEqualTo(listed.getFirst());
    }
  }

  @Test
  void composeKnowsItsDestinationAmongTheSourcesHoweverItIsSpelled() throws Exception {
    Path one = Files.writeString(directory.resolve("c1"), "precious");
    Path two = Files.writeString(directory.resolve("c2"), " more");
    Files.createDirectory(directory.resolve("d"));
    Files.createSymbolicLink(directory.resolve("link"), Path.of("c1"));
    Files.createLink(directory.resolve("hard"), one);
    for (String spelled : List.of("c1", "d/../c1", "./c1", "link", "hard")) {
      String body =
          "{\"source_paths\":[%s,%s],\"destination\":%s}"
              .formatted(
                  Json.quote(one.toString()),
                  Json.quote(two.toString()),
                  Json.quote(directory + "/" + spelled));

      HttpConnection.Reply reply =
          post(AGENT.get(), "/files/compose", Map.of("Content-Type", "application/json"), body);

      assertThat(reply.status()).as("destination %s: %s", spelled, reply.text()).isEqualTo(400);
      assertThat(one).hasContent("precious");
      assertThat(two).hasContent(" more");
    }
  }

  @Test
  void aWatchEndsWhenItsRootIsRenamed() throws Exception {
    Path root = Files.createDirectory(directory.resolve("root"));
    try (Events events = new Events(root, true)) {
      events.awaitStart();
      Files.move(root, directory.resolve("renamed"));
      events.await(EventType.EVENT_TYPE_RENAME, ".");
      assertThat(events.error().detail()).contains(root.toString());
    }
  }

  @Test
  void aDirectoryThatWasMovedOutIsNoLongerReported() throws Exception {
    Path root = Files.createDirectories(directory.resolve("root"));
    Files.createDirectories(root.resolve("leaves/deep"));
    try (Events events = new Events(root, true)) {
      events.awaitStart();
      Files.move(root.resolve("leaves"), directory.resolve("left"));
      events.await(EventType.EVENT_TYPE_RENAME, "leaves");
      Files.createFile(directory.resolve("left/unseen"));
      Files.createFile(directory.resolve("left/deep/unseen"));
      Files.createFile(root.resolve("seen"));
      events.await(EventType.EVENT_TYPE_CREATE, "seen");
      assertThat(events.of(EventType.EVENT_TYPE_CREATE, "")).containsExactly("seen");
    }
  }

  @Test
  void anUploadToTheNameOfADirectoryMakesNone() throws Exception {
    HttpConnection.Reply reply = upload(directory + "/x/new/", "text");

    assertThat(reply.status()).isEqualTo(400);
    assertThat(names()).isEmpty();
  }

  private static String createWatcher(AgentProcess agent, Path path) {
    return call(
            agent,
            FilesystemGrpc.getCreateWatcherMethod(),
            CreateWatcherRequest.newBuilder().setPath(path.toString()).build())
        .getWatcherId();
  }

  private static List<FilesystemEvent> events(AgentProcess agent, String watcher) {
    return call(
            agent,
            FilesystemGrpc.getGetWatcherEventsMethod(),
            GetWatcherEventsRequest.newBuilder().setWatcherId(watcher).build())
        .getEventsList();
  }

  /// The events of a `WatchDir` call, read by the thread of the test.
  private static final class Events implements AutoCloseable {
    private final ConnectClient client =
        new ConnectClient(AGENT.get().port(), ConnectClient.Codec.JSON);
    private final MessageStream<WatchDirResponse> stream;
    private final List<FilesystemEvent> seen = new ArrayList<>();

    Events(Path path, boolean recursive) {
      stream =
          client.serverStream(
              FilesystemGrpc.getWatchDirMethod(),
              WatchDirRequest.newBuilder().setPath(path.toString()).setRecursive(recursive).build(),
              Map.of());
    }

    private @Nullable WatchDirResponse next() {
      try {
        return stream.next(Deadline.PATIENCE);
      } catch (TimeoutException e) {
        throw new AssertionError("no further event after " + seen, e);
      }
    }

    private WatchDirResponse message() {
      WatchDirResponse message = next();
      if (message == null) {
        throw new AssertionError("the stream ended after " + seen);
      }
      return message;
    }

    void awaitStart() {
      assertThat(message().hasStart()).isTrue();
    }

    void await(EventType type, String name) {
      while (seen.stream().noneMatch(it -> it.getType() == type && it.getName().equals(name))) {
        WatchDirResponse response = message();
        if (response.hasFilesystem()) {
          seen.add(response.getFilesystem());
        }
      }
    }

    /// Names of the events of that type so far that begin so.
    List<String> of(EventType type, String prefix) {
      return seen.stream()
          .filter(it -> it.getType() == type)
          .map(FilesystemEvent::getName)
          .filter(it -> prefix.isEmpty() || it.equals(prefix) || it.startsWith(prefix + "/"))
          .toList();
    }

    RpcException error() {
      return failure(() -> {
        while (next() != null) {
          // to the end
        }
      });
    }

    @Override
    public void close() {
      stream.close();
      client.close();
    }
  }
}

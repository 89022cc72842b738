package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.proto.filesystem.CreateWatcherRequest;
import dev.sandpiper.proto.filesystem.EventType;
import dev.sandpiper.proto.filesystem.FilesystemEvent;
import dev.sandpiper.proto.filesystem.FilesystemGrpc;
import dev.sandpiper.proto.filesystem.GetWatcherEventsRequest;
import dev.sandpiper.proto.filesystem.RemoveWatcherRequest;
import dev.sandpiper.proto.filesystem.WatchDirRequest;
import dev.sandpiper.proto.filesystem.WatchDirResponse;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.ConnectClient;
import dev.sandpiper.tests.harness.ConnectClient.Codec;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.MessageStream;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.RpcClient;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Shell;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// Watching directories, as E2B's SDKs do it: a stream over Connect with JSON, the same over gRPC, and polling.
final class WatchIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  @TempDir Path directory;

  private static RpcClient json() {
    return new ConnectClient(AGENT.get().port(), Codec.JSON);
  }

  /// A watch whose `start` has come.
  private static final class Watch implements AutoCloseable {
    private final MessageStream<WatchDirResponse> stream;

    Watch(RpcClient rpc, WatchDirRequest request, Map<String, String> headers) {
      stream = rpc.serverStream(FilesystemGrpc.getWatchDirMethod(), request, headers);
      assertThat(next().hasStart()).as("start comes first").isTrue();
    }

    WatchDirResponse next() {
      try {
        WatchDirResponse message = stream.next(Deadline.PATIENCE);
        if (message == null) {
          throw new AssertionError("the stream has ended without an error");
        }
        return message;
      } catch (TimeoutException e) {
        throw new AssertionError("nothing came", e);
      }
    }

    /// The events up to one of this text.
    List<String> until(String last) {
      List<String> told = new ArrayList<>();
      while (told.isEmpty() || !told.getLast().equals(last)) {
        WatchDirResponse message = next();
        if (message.hasFilesystem()) {
          told.add(text(message.getFilesystem()));
        }
      }
      return told;
    }

    @Override
    public void close() {
      stream.close();
    }
  }

  private static String text(FilesystemEvent event) {
    return event.getType().name().substring("EVENT_TYPE_".length()) + " " + event.getName();
  }

  private WatchDirRequest.Builder request(boolean recursive) {
    return WatchDirRequest.newBuilder().setPath(directory.toString()).setRecursive(recursive);
  }

  private Watch watch(boolean recursive) {
    return new Watch(json(), request(recursive).build(), Map.of());
  }

  @Test
  void changesAfterStartAreToldInOrder() throws Exception {
    try (Watch watch = watch(false)) {
      Path file = directory.resolve("f");
      Files.writeString(file, "content");
      Files.move(file, directory.resolve("g"));
      Files.delete(directory.resolve("g"));
      assertThat(watch.until("REMOVE g"))
          .containsExactly("CREATE f", "WRITE f", "RENAME f", "CREATE g", "REMOVE g");
    }
  }

  @Test
  void overGrpcItIsTheSame() throws Exception {
    try (Watch watch = new Watch(AGENT.get().grpcClient(), request(true).build(), Map.of())) {
      Files.createDirectories(directory.resolve("a/b"));
      Files.writeString(directory.resolve("a/b/f"), "x");
      assertThat(watch.until("WRITE a/b/f"))
          .containsOnlyOnce("CREATE a", "CREATE a/b", "CREATE a/b/f");
    }
  }

  @Test
  void aFreshTreeLosesNoCreateAndRepeatsNone() throws Exception {
    try (Watch watch = watch(true)) {
      Shell.run(
              "sh",
              "-c",
              """
              cd "$1"
              mkdir -p a/b/c && touch a/b/c/f
              for i in 1 2 3 4 5 6 7 8 9; do mkdir -p w/$i/x/y/z && echo text > w/$i/x/y/z/f; done
              cp -r w v && tar c w | (mkdir t && tar x -C t)
              touch last
              """,
              "sh",
              directory.toString())
          .requireSuccess();
      List<String> created =
          watch.until("CREATE last").stream().filter(each -> each.startsWith("CREATE")).toList();
      assertThat(created).doesNotHaveDuplicates();
      TreeSet<String> expected = new TreeSet<>();
      try (var all = Files.walk(directory)) {
        all.filter(path -> !path.equals(directory))
            .forEach(path -> expected.add("CREATE " + directory.relativize(path)));
      }
      assertThat(created).containsExactlyInAnyOrderElementsOf(expected);
    }
  }

  @Test
  void aRenamedDirectoryHasItsNewNameAndOneThatLeftIsSilent() throws Exception {
    Path watched = Files.createDirectories(directory.resolve("watched/a/b/c")).getParent();
    Path root = directory.resolve("watched");
    try (Watch watch =
        new Watch(json(), request(true).setPath(root.toString()).build(), Map.of())) {
      assertThat(watched).exists();
      Files.move(root.resolve("a"), root.resolve("n"));
      Files.createFile(root.resolve("n/b/c/f"));
      assertThat(watch.until("CREATE n/b/c/f"))
          .containsExactly("RENAME a", "CREATE n", "CREATE n/b/c/f");
      Files.move(root.resolve("n"), directory.resolve("outside"));
      Files.createFile(directory.resolve("outside/b/c/g"));
      Files.createFile(root.resolve("last"));
      assertThat(watch.until("CREATE last")).containsExactly("RENAME n", "CREATE last");
    }
  }

  @Test
  void aRenamedRootSaysSoAndEnds() throws Exception {
    Path root = Files.createDirectory(directory.resolve("root"));
    try (Watch watch =
        new Watch(json(), request(false).setPath(root.toString()).build(), Map.of())) {
      Files.move(root, directory.resolve("elsewhere"));
      assertThat(watch.until("RENAME .")).hasSize(1);
      assertThatExceptionOfType(RpcException.class)
          .isThrownBy(watch::next)
          .withMessageContaining("was renamed")
          .satisfies(e -> assertThat(e.code()).isEqualTo("internal"));
    }
  }

  @Test
  void aRemovedRootSaysSoAndTheStreamStays() throws Exception {
    Path root = Files.createDirectory(directory.resolve("root"));
    try (Watch watch =
        new Watch(
            json(),
            request(true).setPath(root.toString()).build(),
            Map.of("Keepalive-Ping-Interval", "1"))) {
      Files.delete(root);
      assertThat(watch.until("REMOVE .")).hasSize(1);
      assertThat(watch.next().hasKeepalive()).isTrue();
    }
  }

  @Test
  void keepalivesComeWithAnyIntervalThatIsAsked() {
    for (String interval : List.of("0", "-1", "10000000000", "soon")) {
      try (Watch _ = new Watch(json(), request(false).build(), interval(interval))) {
        assertThat(AGENT.get().alive()).isTrue();
      }
    }
    try (Watch watch = new Watch(json(), request(false).build(), interval("1"))) {
      assertThat(watch.next().hasKeepalive()).isTrue();
      assertThat(watch.next().hasKeepalive()).isTrue();
    }
  }

  private static Map<String, String> interval(String seconds) {
    return Map.of("Keepalive-Ping-Interval", seconds);
  }

  @Test
  void aDeadlineEndsTheStream() {
    try (Watch watch =
        new Watch(json(), request(false).build(), Map.of("Connect-Timeout-Ms", "300"))) {
      assertThatExceptionOfType(RpcException.class)
          .isThrownBy(watch::next)
          .satisfies(e -> assertThat(e.code()).isEqualTo("deadline_exceeded"));
    }
  }

  @Test
  void badPathsHaveTheContractsCodes() throws Exception {
    Path file = Files.createFile(directory.resolve("file"));
    for (boolean polling : List.of(false, true)) {
      assertThat(refusal(directory.resolve("missing"), polling)).isEqualTo("not_found");
      assertThat(refusal(file, polling)).isEqualTo("invalid_argument");
      assertThat(refusal(file.resolve("below"), polling)).isEqualTo("internal");
    }
  }

  private String refusal(Path path, boolean polling) {
    try {
      if (polling) {
        create(path);
      } else {
        new Watch(json(), request(true).setPath(path.toString()).build(), Map.of()).close();
      }
      return "ok";
    } catch (RpcException e) {
      assertThat(e).hasMessageContaining(path.toString());
      assertThat(e.getMessage()).doesNotContain("%!");
      return e.code();
    }
  }

  private static String create(Path path) {
    return json()
        .unary(
            FilesystemGrpc.getCreateWatcherMethod(),
            CreateWatcherRequest.newBuilder().setPath(path.toString()).setRecursive(true).build(),
            Map.of())
        .getWatcherId();
  }

  private static List<String> poll(String id) {
    return json()
        .unary(
            FilesystemGrpc.getGetWatcherEventsMethod(),
            GetWatcherEventsRequest.newBuilder().setWatcherId(id).build(),
            Map.of())
        .getEventsList()
        .stream()
        .map(WatchIT::text)
        .toList();
  }

  private static void remove(String id) {
    json()
        .unary(
            FilesystemGrpc.getRemoveWatcherMethod(),
            RemoveWatcherRequest.newBuilder().setWatcherId(id).build(),
            Map.of());
  }

  @Test
  void aPollingWatcherGivesEachEventOnceAndIsGoneWhenRemoved() throws Exception {
    String id = create(directory);
    assertThat(id).matches("w[a-z0-9]{20}");
    assertThat(poll(id)).isEmpty();
    Files.createDirectories(directory.resolve("d"));
    Files.writeString(directory.resolve("d/f"), "x");
    List<String> told = new ArrayList<>();
    await()
        .untilAsserted(() -> {
          told.addAll(poll(id));
          assertThat(told).contains("WRITE d/f");
        });
    assertThat(told).containsOnlyOnce("CREATE d", "CREATE d/f");
    remove(id);
    assertThatExceptionOfType(RpcException.class)
        .isThrownBy(() -> poll(id))
        .satisfies(e -> assertThat(e.code()).isEqualTo("not_found"));
    assertThatExceptionOfType(RpcException.class)
        .isThrownBy(() -> remove(id))
        .satisfies(e -> assertThat(e.code()).isEqualTo("not_found"));
  }

  @Test
  void entriesComeWithWhatIsThereAndNotWithWhatIsGone() throws Exception {
    try (Watch watch = new Watch(json(), request(true).setIncludeEntry(true).build(), Map.of())) {
      Path file = directory.resolve("f");
      Files.writeString(file, "content");
      FilesystemEvent created = watch.next().getFilesystem();
      assertThat(created.getType()).isEqualTo(EventType.EVENT_TYPE_CREATE);
      assertThat(created.getEntry().getPath()).isEqualTo(file.toString());
      assertThat(created.getEntry().getName()).isEqualTo("f");
      Files.delete(file);
      FilesystemEvent event = watch.next().getFilesystem();
      while (event.getType() != EventType.EVENT_TYPE_REMOVE) {
        event = watch.next().getFilesystem();
      }
      assertThat(event.hasEntry()).isFalse();
    }
  }

  @Test
  void aNameThatIsNotUtf8IsEscaped() throws Exception {
    try (Watch watch = watch(true)) {
      Shell.run("sh", "-c", "touch \"$1/$(printf 'a\\377b')\"", "sh", directory.toString())
          .requireSuccess();
      assertThat(watch.until("CREATE a\uefffb")).hasSize(1);
    }
  }

  @Test
  void clientsThatLeaveLeaveNothingBehind() throws Exception {
    AgentProcess agent = AGENT.get();
    try (Watch watch = watch(true)) {
      Files.createFile(directory.resolve("warm"));
      watch.until("CREATE warm");
    }
    await().until(() -> inotifies(agent) == 0);
    int before = ProcFs.descriptors(agent.pid()).size();
    List<Watch> watches = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      watches.add(watch(true));
    }
    assertThat(inotifies(agent)).isEqualTo(30);
    watches.forEach(Watch::close);
    await().until(() -> inotifies(agent) == 0);
    await().until(() -> ProcFs.descriptors(agent.pid()).size() <= before + 2);
  }

  private static long inotifies(AgentProcess agent) {
    return ProcFs.descriptors(agent.pid()).values().stream()
        .filter(each -> each.contains("inotify"))
        .count();
  }

  @Test
  void aWatchOnTheWholeSystemIsBoundedAndOthersGoOn() throws Exception {
    Duration bound = Deadline.PATIENCE.multipliedBy(3); // the system may be large
    long began = System.nanoTime();
    MessageStream<WatchDirResponse> all =
        json()
            .serverStream(
                FilesystemGrpc.getWatchDirMethod(),
                WatchDirRequest.newBuilder().setPath("/").setRecursive(true).build(),
                Map.of());
    try (all;
        Watch watch = watch(false)) {
      Files.createFile(directory.resolve("f"));
      watch.until("CREATE f");
      try {
        WatchDirResponse first = all.next(bound);
        assertThat(first != null && first.hasStart()).isTrue();
      } catch (RpcException limit) { // of the agent or of this kernel; both have names
        assertThat(limit.getMessage()).containsAnyOf("--watch-directories", "fs.inotify.");
      }
    }
    assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(bound);
    await().until(() -> inotifies(AGENT.get()) == 0);
  }

  @Test
  void aClientThatDoesNotReadIsEndedWithTheLimit() throws Exception {
    try (AgentProcess small = AgentProcess.builder().flag("--watch-buffer", "64KiB").start()) {
      RpcClient slow = ConnectClient.withReceiveBuffer(small.port(), Codec.JSON, 4096);
      try (Watch watch = new Watch(slow, request(false).build(), Map.of())) {
        for (int i = 0; i < 60_000; i++) {
          Path file = directory.resolve("a-name-that-takes-some-room-on-its-way-" + i);
          Files.createFile(file);
          Files.delete(file);
        }
        assertThatExceptionOfType(RpcException.class)
            .isThrownBy(() -> {
              while (true) {
                watch.next();
              }
            })
            .withMessageContaining("events were lost")
            .satisfies(e ->
                assertThat(e.getMessage()).containsAnyOf("--watch-buffer", "max_queued_events"));
      }
    }
  }

  @Test
  void overwritingThroughAnUploadIsAWriteAndNoCreate() throws Exception {
    Path file = directory.resolve("file.txt");
    try (Watch watch = watch(true)) {
      upload(file, "first");
      assertThat(watch.until("WRITE file.txt")).startsWith("CREATE file.txt");
      upload(file, "second");
      Files.createFile(directory.resolve("last"));
      List<String> told = watch.until("CREATE last");
      assertThat(new HashSet<>(told)).contains("WRITE file.txt").doesNotContain("CREATE file.txt");
      assertThat(told).allMatch(each -> each.endsWith(" file.txt") || each.equals("CREATE last"));
    }
  }

  private static void upload(Path file, String text) {
    try (var http = AGENT.get().http()) {
      var reply =
          http.send(
                  "POST",
                  "/files?path=" + file,
                  Map.of("Content-Type", "application/octet-stream"),
                  text.getBytes(StandardCharsets.UTF_8))
              .reply();
      assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    }
  }
}

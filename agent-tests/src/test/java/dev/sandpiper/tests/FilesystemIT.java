package dev.sandpiper.tests;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.util.JsonFormat;
import dev.sandpiper.proto.filesystem.EntryInfo;
import dev.sandpiper.proto.filesystem.FileType;
import dev.sandpiper.proto.filesystem.FilesystemGrpc;
import dev.sandpiper.proto.filesystem.ListDirRequest;
import dev.sandpiper.proto.filesystem.ListDirResponse;
import dev.sandpiper.proto.filesystem.MakeDirRequest;
import dev.sandpiper.proto.filesystem.MoveRequest;
import dev.sandpiper.proto.filesystem.RemoveRequest;
import dev.sandpiper.proto.filesystem.StatRequest;
import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.ConnectClient;
import dev.sandpiper.tests.harness.GrpcWebClient;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.RpcClient;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Shell;
import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// The filesystem service as clients see it, but for watching.
final class FilesystemIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  @TempDir Path temporary;
  private Path dir = Path.of("/");
  private final RpcClient json = client(Wire.JSON);

  enum Wire {
    JSON,
    BINARY,
    GRPC,
    GRPC_WEB
  }

  private static RpcClient client(Wire wire) {
    AgentProcess agent = AGENT.get();
    return switch (wire) {
      case JSON -> new ConnectClient(agent.port(), ConnectClient.Codec.JSON);
      case BINARY -> new ConnectClient(agent.port(), ConnectClient.Codec.BINARY);
      case GRPC -> agent.grpcClient();
      case GRPC_WEB -> new GrpcWebClient(agent.port());
    };
  }

  @BeforeEach
  void resolve() throws Exception {
    dir = temporary.toRealPath();
  }

  private static EntryInfo stat(RpcClient client, String path, Map<String, String> headers) {
    return client
        .unary(
            FilesystemGrpc.getStatMethod(), StatRequest.newBuilder().setPath(path).build(), headers)
        .getEntry();
  }

  private EntryInfo stat(Path path) {
    return stat(json, path.toString(), Map.of());
  }

  private static List<EntryInfo> list(RpcClient client, Path path, int depth) {
    return client
        .unary(
            FilesystemGrpc.getListDirMethod(),
            ListDirRequest.newBuilder().setPath(path.toString()).setDepth(depth).build(),
            Map.of())
        .getEntriesList();
  }

  private static EntryInfo makeDir(RpcClient client, String path, Map<String, String> headers) {
    return client
        .unary(
            FilesystemGrpc.getMakeDirMethod(),
            MakeDirRequest.newBuilder().setPath(path).build(),
            headers)
        .getEntry();
  }

  private EntryInfo move(Path source, Path destination) {
    MoveRequest request =
        MoveRequest.newBuilder()
            .setSource(source.toString())
            .setDestination(destination.toString())
            .build();
    return json.unary(FilesystemGrpc.getMoveMethod(), request, Map.of()).getEntry();
  }

  private static void remove(RpcClient client, String path, Map<String, String> headers) {
    client.unary(
        FilesystemGrpc.getRemoveMethod(),
        RemoveRequest.newBuilder().setPath(path).build(),
        headers);
  }

  private static RpcException failure(Runnable call) {
    try {
      call.run();
    } catch (RpcException e) {
      return e;
    }
    throw new AssertionError("the call was answered");
  }

  private static Map<String, String> as(String user) {
    String credentials = Base64.getEncoder().encodeToString((user + ":").getBytes(UTF_8));
    return Map.of("Authorization", "Basic " + credentials);
  }

  @ParameterizedTest
  @EnumSource(Wire.class)
  void entriesAreTheSameOnEveryWire(Wire wire) throws Exception {
    Path file = Files.writeString(dir.resolve("größe \"1\"\\\n.txt"), "four");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
    Instant time = Instant.parse("2026-01-02T03:04:05.678901234Z");
    Files.setLastModifiedTime(file, FileTime.from(time));
    Files.createSymbolicLink(dir.resolve("link"), file.getFileName());
    Files.createSymbolicLink(dir.resolve("broken"), Path.of("none"));
    Files.createDirectories(dir.resolve("d/e"));
    Files.setAttribute(file, "user:e2b.k", "ä<v>".getBytes(UTF_8));
    RpcClient client = client(wire);
    EntryInfo entry = stat(client, file.toString(), Map.of());
    assertThat(entry.getName()).isEqualTo("größe \"1\"\\\n.txt");
    assertThat(entry.getPath()).isEqualTo(file.toString());
    assertThat(entry.getType()).isEqualTo(FileType.FILE_TYPE_FILE);
    assertThat(entry.getSize()).isEqualTo(4);
    assertThat(entry.getMode()).isEqualTo(0640);
    assertThat(entry.getPermissions()).isEqualTo("-rw-r-----");
    assertThat(entry.getOwner()).isEqualTo(Files.getOwner(file).getName());
    assertThat(entry.getModifiedTime().getSeconds()).isEqualTo(time.getEpochSecond());
    assertThat(entry.getModifiedTime().getNanos()).isEqualTo(time.getNano());
    assertThat(entry.hasSymlinkTarget()).isFalse();
    assertThat(entry.getMetadataMap()).isEqualTo(Map.of("k", "ä<v>"));
    List<EntryInfo> all = list(client, dir, 2);
    assertThat(all)
        .extracting(EntryInfo::getPath)
        .containsExactly(dir + "/broken", dir + "/d", dir + "/d/e", file.toString(), dir + "/link");
    assertThat(all).contains(entry);
    assertThat(all.get(0).getType()).isEqualTo(FileType.FILE_TYPE_UNSPECIFIED);
    assertThat(all.get(0).getSymlinkTarget()).isEqualTo(dir + "/broken");
    assertThat(all.get(1).getType()).isEqualTo(FileType.FILE_TYPE_DIRECTORY);
    assertThat(all.get(4).getType()).isEqualTo(FileType.FILE_TYPE_FILE);
    assertThat(all.get(4).getSymlinkTarget()).isEqualTo(file.toString());
    assertThat(all.get(4).getPermissions()).isEqualTo("Lrwxrwxrwx");
    assertThat(list(client, dir.resolve("d/e"), 1)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({
    "0, false",
    "1, true",
    "999999999, true",
    "1000000000, true",
    "951782400, true",
    "4102444800, true",
    "-1, true",
    "-2208988800, true",
    "253402300799, true"
  })
  void timesOfEveryCenturyArePrintedRight(long second, boolean present) throws Exception {
    Path file = Files.createFile(dir.resolve("f"));
    Shell.run("touch", "-d", "@" + second, file.toString()).requireSuccess();
    long kept = Files.getLastModifiedTime(file).toInstant().getEpochSecond();
    for (Wire wire : List.of(Wire.JSON, Wire.BINARY)) {
      EntryInfo entry = stat(client(wire), file.toString(), Map.of());
      assertThat(entry.hasModifiedTime()).isEqualTo(present && kept != 0);
      assertThat(entry.getModifiedTime().getSeconds()).isEqualTo(kept);
    }
  }

  @Test
  void makesMovesAndRemoves() throws Exception {
    EntryInfo made = makeDir(json, dir + "/a/b", Map.of());
    assertThat(made.getPermissions()).isEqualTo("drwxr-xr-x");
    RpcException again = failure(() -> makeDir(json, dir + "/a/b", Map.of()));
    assertThat(again.code()).isEqualTo("already_exists");
    assertThat(again.httpStatus()).isEqualTo(409);
    assertThat(again.detail()).isEqualTo("directory already exists: " + dir + "/a/b");
    Path file = Files.writeString(dir.resolve("f"), "x");
    assertThat(failure(() -> makeDir(json, file.toString(), Map.of())).code())
        .isEqualTo("invalid_argument");
    assertThat(failure(() -> makeDir(json, file + "/x", Map.of())).code()).isEqualTo("internal");
    assertThat(move(file, dir.resolve("p/q")).getPath()).isEqualTo(dir + "/p/q");
    RpcException missing = failure(() -> move(dir.resolve("none"), dir.resolve("x/y")));
    assertThat(missing.code()).isEqualTo("not_found");
    assertThat(missing.detail()).startsWith("source file not found: ");
    assertThat(dir.resolve("x")).doesNotExist();
    RpcException directory = failure(() -> move(dir.resolve("p/q"), dir.resolve("a")));
    assertThat(directory.code()).isEqualTo("internal");
    assertThat(directory.detail()).startsWith("error renaming: ").endsWith("file exists");
    remove(json, dir + "/p", Map.of());
    remove(json, dir + "/p", Map.of());
    assertThat(list(json, dir, 1)).extracting(EntryInfo::getName).containsExactly("a");
  }

  @Test
  void movesBetweenFileSystems() throws Exception {
    Path other = Files.createTempDirectory(Path.of("/dev/shm"), "sandpiper-it");
    try {
      Path tree = Files.createDirectories(dir.resolve("t/sub"));
      Files.writeString(tree.resolve("f"), "text");
      EntryInfo moved = move(dir.resolve("t"), other.resolve("x/t"));
      assertThat(moved.getType()).isEqualTo(FileType.FILE_TYPE_DIRECTORY);
      assertThat(Files.readString(other.resolve("x/t/sub/f"))).isEqualTo("text");
      assertThat(dir.resolve("t")).doesNotExist();
    } finally {
      AgentProcess.remove(other);
    }
  }

  @Test
  void nothingRemovesTheRootOrWhatWasNotNamed() {
    for (String path : List.of("", "/", "//", "/..", "/tmp/..")) {
      assertThat(failure(() -> remove(json, path, Map.of())).code())
          .as(path)
          .isEqualTo("invalid_argument");
    }
    assertThat(dir).exists();
  }

  @Test
  void whatIsMissingOrNoDirectoryHasTheContractsCodes() throws Exception {
    RpcException missing = failure(() -> stat(dir.resolve("nope")));
    assertThat(missing.code()).isEqualTo("not_found");
    assertThat(missing.httpStatus()).isEqualTo(404);
    assertThat(missing.detail())
        .isEqualTo("file not found: lstat " + dir + "/nope: no such file or directory");
    Path file = Files.createFile(dir.resolve("f"));
    assertThat(failure(() -> stat(file.resolve("x"))).code()).isEqualTo("internal");
    assertThat(failure(() -> list(json, file, 1)).code()).isEqualTo("invalid_argument");
    assertThat(failure(() -> list(json, dir.resolve("nope"), 1)).code()).isEqualTo("not_found");
    Files.createSymbolicLink(dir.resolve("loop"), Path.of("loop"));
    RpcException loop = failure(() -> list(json, dir.resolve("loop"), 1));
    assertThat(loop.code()).isEqualTo("failed_precondition");
    assertThat(loop.detail()).contains(dir + "/loop");
    assertThat(stat(dir.resolve("loop")).getType()).isEqualTo(FileType.FILE_TYPE_UNSPECIFIED);
    assertThat(failure(() -> stat(dir.resolve("loop/x"))).code()).isEqualTo("internal");
    assertThat(failure(() -> move(dir.resolve("loop/x"), dir.resolve("y"))).code())
        .isEqualTo("internal");
  }

  @Test
  void badPathsAreAnsweredAndNothingElseNotices() throws Exception {
    String tooLong = "/" + "x".repeat(5000);
    assertThat(failure(() -> stat(json, tooLong, Map.of())).detail())
        .endsWith("file name too long");
    assertThat(failure(() -> makeDir(json, tooLong, Map.of())).code()).isEqualTo("internal");
    assertThat(failure(() -> remove(json, tooLong, Map.of())).code()).isEqualTo("internal");
    for (Wire wire : Wire.values()) {
      RpcException nul = failure(() -> stat(client(wire), "/etc\0/passwd", Map.of()));
      assertThat(nul.code()).isEqualTo("invalid_argument");
      RpcException home = failure(() -> stat(client(wire), "~nobody/x", Map.of()));
      assertThat(home.code()).isEqualTo("invalid_argument");
      assertThat(home.detail()).contains("cannot expand user-specific home dir");
    }
    // Relative ones are cleaned, absolute ones are the kernel's to follow.
    assertThat(stat(json, "../../../../../etc/./passwd", Map.of()).getPath())
        .isEqualTo("/etc/passwd");
    assertThat(stat(json, dir + "/../" + dir.getFileName() + "/.", Map.of()).getName())
        .isEqualTo(".");
    // Bytes that are not UTF-8, in either codec.
    byte[] badJson = "{\"path\":\"/tmp/\u00ff\"}".getBytes(ISO_8859_1);
    assertThat(raw("application/json", badJson, Map.of()).body().toStringUtf8())
        .contains("\"invalid_argument\"", "invalid UTF-8");
    byte[] badProto = {0x0A, 0x02, '/', (byte) 0xFF};
    assertThat(raw("application/proto", badProto, Map.of()).body().toStringUtf8())
        .contains("\"invalid_argument\"");
    assertThat(
            raw("application/json", "{\"path\":\"/\\ud800\"}".getBytes(UTF_8), Map.of()).status())
        .isIn(400, 500);
    assertThat(stat(Path.of("/")).getName()).isEqualTo("/");
  }

  private static HttpConnection.Reply raw(String type, byte[] body, Map<String, String> more) {
    Map<String, String> headers = new java.util.HashMap<>(more);
    headers.put("Content-Type", type);
    try (HttpConnection connection = AGENT.get().http()) {
      return connection.send("POST", "/filesystem.Filesystem/Stat", headers, body).reply();
    }
  }

  @Test
  void relativePathsAndTheEmptyOneAreBelowTheHome() {
    String home = stat(json, "~", Map.of()).getPath();
    assertThat(stat(json, "", Map.of()).getPath()).isEqualTo(home);
    assertThat(failure(() -> stat(json, "no/../such", Map.of())).detail())
        .contains("lstat " + home + (home.equals("/") ? "" : "/") + "such:");
  }

  @Test
  void unknownUsersAreRefused() {
    RpcException refused = failure(() -> stat(json, "/", as("nobody-like-this")));
    assertThat(refused.code()).isEqualTo("unauthenticated");
    assertThat(refused.detail()).isEqualTo("invalid username: 'nobody-like-this'");
  }

  @Test
  void anOldClientGetsTheMembersItKnows() throws Exception {
    Path file = Files.writeString(dir.resolve("f"), "x");
    byte[] request = ("{\"path\":\"" + file + "\"}").getBytes(UTF_8);
    HttpConnection.Reply reply =
        raw("application/json", request, Map.of("User-Agent", "connect-python"));
    assertThat(reply.body().toStringUtf8())
        .isEqualTo(
            "{\"entry\":{\"name\":\"f\",\"type\":\"FILE_TYPE_FILE\",\"path\":\"" + file + "\"}}");
    assertThat(reply.head().header("X-E2B-Legacy-SDK")).isEqualTo("true");
    assertThat(
            raw("application/json", request, Map.of("User-Agent", "connect-python/1"))
                .body()
                .toStringUtf8())
        .contains("permissions");
  }

  @Test
  void namesThatAreNotUtf8AreListedAndCanBeUsed() {
    Shell.run(
            "sh",
            "-c",
            "mkdir \"$1/$(printf 'caf\\351')\" && touch \"$1/plain\"",
            "-",
            dir.toString())
        .requireSuccess();
    for (Wire wire : Wire.values()) {
      assertThat(list(client(wire), dir, 1))
          .extracting(EntryInfo::getName)
          .containsExactly("caf\uEFE9", "plain");
    }
    String odd = dir + "/caf\uEFE9";
    assertThat(stat(json, odd, Map.of()).getType()).isEqualTo(FileType.FILE_TYPE_DIRECTORY);
    makeDir(json, odd + "/sub", Map.of());
    remove(json, odd, Map.of());
    assertThat(list(json, dir, 1)).extracting(EntryInfo::getName).containsExactly("plain");
  }

  @Test
  void hundredThousandEntriesAreAnsweredTwiceAtOnceInLittleMemory() throws Exception {
    Shell.run(
            "sh",
            "-c",
            "cd \"$1\" && seq -f 'entry-number-%06g' 100000 | xargs touch",
            "-",
            dir.toString())
        .requireSuccess();
    stat(dir); // so that what a first call loads is there
    list(json, dir.resolve(".."), 1);
    long pid = AGENT.get().pid();
    long before = ProcFs.residentBytes(pid);
    ProcFs.resetPeak(pid);
    byte[] request = ("{\"path\":\"" + dir + "\"}").getBytes(UTF_8);
    try (var threads = Executors.newFixedThreadPool(3)) {
      Future<ByteString> one =
          threads.submit(() -> listRaw("application/json", request, Map.of()).body());
      Future<ByteString> two =
          threads.submit(() ->
              listRaw(
                      "application/proto",
                      ListDirRequest.newBuilder().setPath(dir.toString()).build().toByteArray(),
                      Map.of())
                  .body());
      int meanwhile = 0;
      while (!one.isDone() || !two.isDone()) {
        assertThat(stat(dir).getName()).isEqualTo(dir.getFileName().toString());
        meanwhile++;
      }
      assertThat(meanwhile).isPositive();
      long peak = ProcFs.peakResidentBytes(pid);
      ListDirResponse.Builder parsed = ListDirResponse.newBuilder();
      JsonFormat.parser().merge(one.get().toStringUtf8(), parsed);
      check(parsed.build());
      check(ListDirResponse.parseFrom(two.get()));
      assertThat(peak - before).as("grown by").isLessThan(60L << 20);
    }
    ListDirRequest small = ListDirRequest.newBuilder().setPath(dir.toString()).build();
    var channel = AGENT.get().grpcClient().channel();
    check(
        FilesystemGrpc.newBlockingStub(channel).withMaxInboundMessageSize(64 << 20).listDir(small));
    check(
        FilesystemGrpc.newBlockingStub(channel)
            .withCompression("gzip")
            .withMaxInboundMessageSize(64 << 20)
            .listDir(small));
    try (var descriptors = Files.list(Path.of("/proc/" + pid + "/fd"))) {
      assertThat(
              descriptors.filter(each -> {
                try {
                  return Files.readSymbolicLink(each).toString().contains("listing-");
                } catch (java.io.IOException closed) {
                  return false;
                }
              }))
          .isEmpty();
    }
  }

  private static HttpConnection.Reply listRaw(
      String type, byte[] request, Map<String, String> more) {
    Map<String, String> headers = new java.util.HashMap<>(more);
    headers.put("Content-Type", type);
    try (HttpConnection connection = AGENT.get().http()) {
      return connection.send("POST", "/filesystem.Filesystem/ListDir", headers, request).reply();
    }
  }

  private static void check(ListDirResponse response) {
    assertThat(response.getEntriesCount()).isEqualTo(100_000);
    for (int i = 0; i < 100_000; i++) {
      assertThat(response.getEntries(i).getName()).isEqualTo("entry-number-%06d".formatted(i + 1));
    }
  }

  @Test
  void answersAreCompressedWhereThatWasAsked() throws Exception {
    for (int i = 0; i < 100; i++) {
      Files.createFile(dir.resolve("f" + i));
    }
    byte[] request = ("{\"path\":\"" + dir + "\"}").getBytes(UTF_8);
    HttpConnection.Reply reply =
        listRaw("application/json", request, Map.of("Accept-Encoding", "gzip"));
    assertThat(reply.head().header("content-encoding")).isEqualTo("gzip");
    byte[] plain =
        new GZIPInputStream(new ByteArrayInputStream(reply.body().toByteArray())).readAllBytes();
    ListDirResponse.Builder parsed = ListDirResponse.newBuilder();
    JsonFormat.parser().merge(new String(plain, UTF_8), parsed);
    assertThat(parsed.getEntriesCount()).isEqualTo(100);
  }

  @Test
  void withoutEnforcementTheAgentsRightsCountAndWhatIsMadeIsTheUsers() throws Exception {
    try (Account account = new Account()) {
      Path secret = Files.createDirectory(dir.resolve("secret"));
      Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rwx------"));
      EntryInfo made = makeDir(json, secret + "/a/b", as(account.name()));
      assertThat(made.getOwner()).isEqualTo(account.name());
      assertThat(made.getGroup()).isEqualTo(account.name());
      assertThat(stat(secret.resolve("a")).getOwner()).isEqualTo(account.name());
      assertThat(makeDir(json, "sub", as(account.name())).getPath())
          .isEqualTo(account.home() + "/sub");
    }
  }

  @Test
  void withEnforcementTheKernelDecides() throws Exception {
    try (Account account = new Account();
        AgentProcess agent =
            AgentProcess.builder().flag("--enforce-user-permissions", "true").start()) {
      Map<String, String> user = as(account.name());
      RpcClient enforced = new ConnectClient(agent.port(), ConnectClient.Codec.JSON);
      Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString("rwxr-xr-x"));
      Path secret = Files.createDirectory(dir.resolve("secret"));
      Files.createFile(secret.resolve("f"));
      Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rwx------"));
      assertThat(failure(() -> stat(enforced, secret + "/f", user)).code())
          .isEqualTo("permission_denied");
      assertThat(stat(enforced, secret + "/f", Map.of()).getName()).isEqualTo("f");
      assertThat(failure(() -> makeDir(enforced, dir + "/new", user)).code())
          .isEqualTo("permission_denied");
      assertThat(failure(() -> remove(enforced, secret.toString(), user)).code())
          .isEqualTo("permission_denied");
      // What cannot be read is left out of a listing, or is its error.
      List<EntryInfo> seen =
          enforced
              .unary(
                  FilesystemGrpc.getListDirMethod(),
                  ListDirRequest.newBuilder().setPath(dir.toString()).setDepth(3).build(),
                  user)
              .getEntriesList();
      assertThat(seen).extracting(EntryInfo::getName).containsExactly("secret");
      assertThatThrownBy(() ->
              enforced.unary(
                  FilesystemGrpc.getListDirMethod(),
                  ListDirRequest.newBuilder().setPath(secret.toString()).build(),
                  user))
          .isInstanceOf(RpcException.class);
      // A supplementary group opens, and what is made is the user's.
      Shell.run("chgrp", account.secondGroup(), secret.toString()).requireSuccess();
      Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rwxrwx---"));
      assertThat(stat(enforced, secret + "/f", user).getName()).isEqualTo("f");
      assertThat(makeDir(enforced, secret + "/mine", user).getOwner()).isEqualTo(account.name());
    }
  }
}

package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.ByteString;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.HttpConnection.Head;
import dev.sandpiper.tests.harness.HttpConnection.Reply;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Shell;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// `/files` and `/files/compose` byte by byte, with whatever else may be sent to them.
final class FilesIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  @TempDir Path directory;

  private static final Map<String, String> RAW = Map.of("Content-Type", "application/octet-stream");

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static String query(Path path) {
    return query(path.toString());
  }

  private static String query(String path) {
    return "/files?path=" + URLEncoder.encode(path, StandardCharsets.UTF_8);
  }

  private static Map<String, String> map(String... pairs) {
    Map<String, String> map = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      map.put(pairs[i], pairs[i + 1]);
    }
    return map;
  }

  private static Reply get(String target, String... headers) {
    try (HttpConnection connection = AGENT.get().http()) {
      return connection.send("GET", target, map(headers)).reply();
    }
  }

  private static Reply post(String target, Map<String, String> headers, byte[] body) {
    try (HttpConnection connection = AGENT.get().http()) {
      return connection.send("POST", target, headers, body).reply();
    }
  }

  private static Reply upload(Path path, String content, String... headers) {
    Map<String, String> all = new LinkedHashMap<>(RAW);
    all.putAll(map(headers));
    return post(query(path), all, utf8(content));
  }

  private static void assertError(Reply reply, int status, String message) {
    assertThat(reply.text()).contains(message);
    assertThat(reply.status()).isEqualTo(status);
    assertThat(reply.header("content-type")).isEqualTo("application/json; charset=utf-8");
    assertThat(reply.text()).startsWith("{\"code\":" + status + ",\"message\":");
  }

  private static List<String> names(Path in) {
    try (Stream<Path> all = Files.list(in)) {
      return all.map(each -> each.getFileName().toString()).sorted().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] gzip(byte[] content) throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(content);
    }
    return packed.toByteArray();
  }

  private static byte[] gunzip(ByteString packed) throws IOException {
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(packed.toByteArray()))) {
      return in.readAllBytes();
    }
  }

  private static byte[] random(int bytes) {
    byte[] content = new byte[bytes];
    new Random(7).nextBytes(content);
    return content;
  }

  // Downloads.

  @Test
  void aFileComesWithItsFacts() throws IOException {
    Path file = Files.writeString(directory.resolve("my file.txt"), "content");
    Reply reply = get(query(file));
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.text()).isEqualTo("content");
    assertThat(reply.header("content-length")).isEqualTo("7");
    assertThat(reply.header("content-type")).isEqualTo("text/plain; charset=utf-8");
    assertThat(reply.header("content-disposition")).isEqualTo("inline; filename=\"my file.txt\"");
    assertThat(reply.header("accept-ranges")).isEqualTo("bytes");
    assertThat(reply.header("last-modified")).endsWith(" GMT");
    assertThat(reply.header("vary")).contains("Accept-Encoding");
    Path noName = Files.write(directory.resolve("picture"), utf8("GIF89a...."));
    assertThat(get(query(noName)).header("content-type")).isEqualTo("image/gif");
    Path empty = Files.createFile(directory.resolve("empty"));
    assertThat(get(query(empty)).header("content-length")).isEqualTo("0");
  }

  @Test
  void headTellsTheSameWithoutABody() throws Exception {
    Path file = Files.write(directory.resolve("f.bin"), random(300_000));
    try (HttpConnection connection = AGENT.get().http()) {
      connection.send("HEAD", query(file), Map.of());
      Head head = connection.head(Deadline.in(Deadline.PATIENCE));
      assertThat(head.status()).isEqualTo(200);
      assertThat(head.header("content-length")).isEqualTo("300000");
    }
  }

  @Test
  void whatCannotBeReadIsSaid() {
    String missing = directory.resolve("missing").toString();
    assertThat(get(query(missing)).json().toString())
        .contains("404")
        .contains("path '" + missing + "' does not exist");
    assertError(get(query(directory)), 400, "path '" + directory + "' is a directory");
    assertError(get("/files"), 400, "is a directory"); // the home
    assertError(get(query("~nobody-here/x")), 400, "error expanding and resolving path");
    assertError(get(query("/x\0y")), 400, "NUL");
    assertError(get(query("/" + "x/".repeat(2500))), 500, "file name too long");
    assertError(get(query("/etc/passwd/x")), 500, "error checking if path exists");
    assertError(
        get("/files?path=/etc/passwd&username=nobody-here"),
        401,
        "error looking up user 'nobody-here': user: unknown user nobody-here");
    assertError(get("/files?path=/etc/passwd&username="), 401, "error looking up user ''");
    Shell.run("ln", "-s", "loop", directory.resolve("loop").toString()).requireSuccess();
    assertError(get(query(directory.resolve("loop"))), 500, "too many levels");
    for (String bad : new String[] {"path=a&path=b", "path=%zz", "path=%ff"}) {
      Reply reply = get("/files?" + bad);
      assertThat(reply.status()).as(bad).isEqualTo(400);
      assertThat(reply.header("content-type")).startsWith("text/plain");
      assertThat(reply.text()).startsWith("Invalid format for parameter path:");
    }
    assertThat(get("/files?signature_expiration=x&path=/etc/passwd").text())
        .startsWith("Invalid format for parameter signature_expiration:");
  }

  @Test
  void dotsInPathsMeanWhatTheKernelMakesOfThem() throws IOException {
    Files.writeString(directory.resolve("f"), "x");
    assertThat(get(query(directory + "/../" + directory.getFileName() + "/./f")).text())
        .isEqualTo("x");
  }

  @Test
  void gzipIsChosenByTheRules() throws IOException {
    byte[] content = utf8("line of text\n".repeat(20_000));
    Path file = Files.write(directory.resolve("t.txt"), content);
    Reply packed = get(query(file), "Accept-Encoding", "gzip, deflate");
    assertThat(packed.header("content-encoding")).isEqualTo("gzip");
    assertThat(packed.header("content-type")).isEqualTo("text/plain; charset=utf-8");
    assertThat(gunzip(packed.body())).isEqualTo(content);
    Path noise = Files.write(directory.resolve("noise"), random(3_000_000));
    Reply large = get(query(noise), "Accept-Encoding", "gzip");
    assertThat(large.header("content-type")).isEqualTo("application/octet-stream");
    assertThat(gunzip(large.body())).isEqualTo(random(3_000_000));
    Path empty = Files.createFile(directory.resolve("empty"));
    assertThat(gunzip(get(query(empty), "Accept-Encoding", "gzip").body())).isEmpty();
    assertThat(get(query(file), "Accept-Encoding", "gzip", "Range", "bytes=0-3").text())
        .isEqualTo("line");
    assertError(
        get(query(file), "Accept-Encoding", "identity;q=0, br"),
        406,
        "error parsing Accept-Encoding: no acceptable encoding found, supported: [gzip]");
    assertError(
        get(query(file), "Accept-Encoding", "gzip, identity;q=0", "Range", "bytes=0-3"),
        406,
        "identity encoding not acceptable for Range or conditional request");
  }

  @Test
  void rangesAreCutOutOfSmallAndLargeFiles() throws IOException {
    byte[] content = random(9_000_000);
    Path large = Files.write(directory.resolve("large.bin"), content);
    Reply part = get(query(large), "Range", "bytes=4000000-8999998");
    assertThat(part.status()).isEqualTo(206);
    assertThat(part.header("content-range")).isEqualTo("bytes 4000000-8999998/9000000");
    assertThat(part.body().toByteArray())
        .isEqualTo(Arrays.copyOfRange(content, 4_000_000, 8_999_999));
    Path small = Files.writeString(directory.resolve("small.txt"), "0123456789");
    assertThat(get(query(small), "Range", "bytes=-3").text()).isEqualTo("789");
    assertThat(get(query(small), "Range", "bytes=0-99,5-").text()).isEqualTo("0123456789");
    Reply several = get(query(small), "Range", "bytes=0-1,8-");
    String boundary = several.header("content-type").replace("multipart/byteranges; boundary=", "");
    assertThat(several.status()).isEqualTo(206);
    assertThat(several.text())
        .isEqualTo(
            "--"
                + boundary
                + "\r\nContent-Range: bytes 0-1/10\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n01\r\n--"
                + boundary
                + "\r\nContent-Range: bytes 8-9/10\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n89\r\n--"
                + boundary
                + "--\r\n");
    Reply behind = get(query(small), "Range", "bytes=10-");
    assertThat(behind.status()).isEqualTo(416);
    assertThat(behind.header("content-range")).isEqualTo("bytes */10");
    assertThat(behind.text()).isEqualTo("invalid range: failed to overlap\n");
    assertThat(get(query(small), "Range", "bytes=x").text()).isEqualTo("invalid range\n");
  }

  @Test
  void conditionsAreKept() throws IOException {
    Path file = Files.writeString(directory.resolve("f.txt"), "content");
    String modified = get(query(file)).header("last-modified");
    Reply same = get(query(file), "If-Modified-Since", modified);
    assertThat(same.status()).isEqualTo(304);
    assertThat(same.body()).isEqualTo(ByteString.EMPTY);
    Reply changed = get(query(file), "If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT");
    assertThat(changed.status()).isEqualTo(412);
    assertThat(changed.body()).isEqualTo(ByteString.EMPTY);
    assertThat(get(query(file), "If-Range", modified, "Range", "bytes=0-0").text()).isEqualTo("c");
    assertThat(get(query(file), "If-Range", "\"x\"", "Range", "bytes=0-0").text())
        .isEqualTo("content");
  }

  @Test
  void filesOfTheKernelAreReadToTheirEnd() throws IOException {
    for (String path :
        new String[] {
          "/proc/version",
          "/proc/self/status",
          "/proc/sys/kernel/ostype",
          "/proc/self/cmdline",
          "/sys/kernel/mm/transparent_hugepage/enabled"
        }) {
      assumeTrue(Files.isReadable(Path.of(path)), path);
      Reply reply = get(query(path));
      assertThat(reply.status()).as(path).isEqualTo(200);
      assertThat(reply.body().size()).as(path).isPositive();
      assertThat(reply.header("transfer-encoding")).as(path).isEqualTo("chunked");
      assertThat(reply.header("content-length")).as(path).isEmpty();
      Reply packed = get(query(path), "Accept-Encoding", "gzip");
      assertThat(gunzip(packed.body()).length).as(path).isPositive();
    }
    assertThat(get(query("/proc/version")).body().toByteArray())
        .isEqualTo(Files.readAllBytes(Path.of("/proc/version")));
    assertThat(get(query("/dev/null")).body()).isEqualTo(ByteString.EMPTY);
  }

  @Test
  void aFileThatShrinksWhileItIsSentBreaksOffItsOwnConnectionOnly() throws Exception {
    Path file = Files.write(directory.resolve("shrinks"), new byte[64 << 20]);
    try (HttpConnection slow = HttpConnection.to(AGENT.get().port(), 16 * 1024)) {
      slow.send("GET", query(file), Map.of());
      assertThat(slow.head(Deadline.in(Deadline.PATIENCE)).header("content-length"))
          .isEqualTo(Integer.toString(64 << 20));
      Files.write(file, new byte[10], StandardOpenOption.TRUNCATE_EXISTING);
      long got = 0;
      byte[] part = new byte[1 << 20];
      boolean cut = false;
      try {
        int n = slow.body(part, 0, part.length, Deadline.in(Deadline.PATIENCE));
        while (n >= 0) {
          got += n;
          n = slow.body(part, 0, part.length, Deadline.in(Deadline.PATIENCE));
        }
      } catch (HttpConnection.Cut e) {
        cut = true;
      }
      assertThat(cut).isTrue();
      assertThat(got).isLessThan(64 << 20);
    }
    assertThat(get(query(file)).header("content-length")).isEqualTo("10");
  }

  @Test
  void aClientThatStopsReadingCostsNoMemory() throws Exception {
    Path file = directory.resolve("huge");
    Shell.run("truncate", "-s", "2G", file.toString()).requireSuccess();
    get(query(file), "Range", "bytes=0-9");
    long before = ProcFs.residentBytes(AGENT.get().pid());
    HttpConnection[] stopped = new HttpConnection[20];
    try {
      for (int i = 0; i < stopped.length; i++) {
        stopped[i] = HttpConnection.to(AGENT.get().port(), 16 * 1024);
        stopped[i].send("GET", query(file), Map.of());
        stopped[i].head(Deadline.in(Deadline.PATIENCE));
      }
      assertThat(get(query(file), "Range", "bytes=0-9").status()).isEqualTo(206);
      assertThat(ProcFs.residentBytes(AGENT.get().pid()) - before).isLessThan(24 << 20);
    } finally {
      for (HttpConnection each : stopped) {
        if (each != null) {
          each.close();
        }
      }
    }
  }

  @Test
  void aDownloadThatNobodyTakesEnds() throws Exception {
    Path file = directory.resolve("huge");
    Shell.run("truncate", "-s", "1G", file.toString()).requireSuccess();
    try (AgentProcess agent = AgentProcess.builder().flag("--idle-timeout", "1s").start();
        HttpConnection stopped = HttpConnection.to(agent.port(), 16 * 1024)) {
      stopped.send("GET", query(file), Map.of());
      stopped.head(Deadline.in(Deadline.PATIENCE));
      Awaitility.await()
          .atMost(20, TimeUnit.SECONDS)
          .until(() ->
              ProcFs.descriptors(agent.pid()).values().stream()
                  .noneMatch(to -> to.endsWith("/huge")));
    }
  }

  // Uploads.

  @Test
  void aRawBodyBecomesAFileWithItsDirectories() throws IOException {
    Path file = directory.resolve("a/b/f.txt");
    Reply reply = upload(file, "hello");
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("content-type")).isEqualTo("application/json");
    assertThat(reply.text())
        .isEqualTo("[{\"name\":\"f.txt\",\"path\":\"" + file + "\",\"type\":\"file\"}]");
    assertThat(file).hasContent("hello");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-r--r--");
    assertThat(upload(file, "").status()).isEqualTo(200);
    assertThat(file).isEmptyFile();
  }

  @Test
  void aFormBringsSeveralFiles() throws IOException {
    String form =
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\""
            + directory
            + "/d/one.txt\"\r\n\r\nfirst\r\n"
            + "--XX\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nignored\r\n"
            + "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\""
            + directory
            + "/é😀\"\r\n"
            + "Content-Type: application/octet-stream\r\n\r\nsecond\r\n--XX--\r\n";
    Map<String, String> headers =
        map("Content-Type", "multipart/form-data; boundary=XX", "X-Metadata-K", "v");
    Reply reply = post("/files", headers, utf8(form));
    assertThat(reply.status()).as(reply.text()).isEqualTo(200);
    assertThat(reply.text())
        .isEqualTo(
            "[{\"name\":\"one.txt\",\"path\":\""
                + directory
                + "/d/one.txt\",\"type\":\"file\",\"metadata\":{\"k\":\"v\"}},"
                + "{\"name\":\"é😀\",\"path\":\""
                + directory
                + "/é😀\",\"type\":\"file\",\"metadata\":{\"k\":\"v\"}}]");
    assertThat(directory.resolve("d/one.txt")).hasContent("first");
    assertThat(Shell.run("cat", directory + "/é😀").stdout()).isEqualTo("second");
    assertError(
        post(query(directory.resolve("twice")), headers, utf8(form)),
        400,
        "you cannot upload multiple files to the same path '" + directory + "/twice'");
    assertThat(directory.resolve("twice")).hasContent("first");
    assertThat(post("/files", headers, utf8("--XX--")).text()).isEqualTo("[]");
  }

  @Test
  void malformedFormsWriteNothing() {
    Map<String, String> headers = Map.of("Content-Type", "multipart/form-data; boundary=XX");
    String part =
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\""
            + directory
            + "/f\"\r\n";
    assertError(
        post("/files", headers, utf8(part + "\r\ncut")), 500, "error reading form: unexpected EOF");
    assertError(
        post("/files", headers, utf8(part + "broken line\r\n\r\nx\r\n--XX--")),
        500,
        "malformed header line");
    assertError(
        post("/files", headers, utf8(part + "X: " + "y".repeat(100_000) + "\r\n\r\n--XX--")),
        500,
        "longer than 32768 bytes");
    assertError(
        post("/files", headers, utf8("--XX\r\n\r\n\r\n".repeat(200_000))),
        500,
        "more than 10000 parts");
    assertError(
        post(
            "/files",
            headers,
            utf8("--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--XX--")),
        400,
        "has no filename");
    assertError(
        post("/files", Map.of("Content-Type", "multipart/form-data"), utf8("x")),
        500,
        "no multipart boundary");
    assertThat(names(directory)).isEmpty();
  }

  @Test
  void requestsThatMeanNothingAreRefused() {
    assertError(
        post("/files", RAW, utf8("x")),
        400,
        "path query parameter is required for raw body upload");
    assertError(
        post(query("/tmp/x"), Map.of("Content-Type", "text/plain"), utf8("x")),
        400,
        "unsupported content type: text/plain, expected multipart/form-data or application/octet-stream");
    assertError(
        upload(directory.resolve("x"), "x", "Content-Encoding", "br"),
        400,
        "unsupported Content-Encoding: br, supported: [gzip]");
    assertError(upload(directory, "x"), 400, "path is a directory: " + directory);
    assertError(
        post(query(directory + "/new/"), RAW, utf8("x")),
        400,
        "path is a directory: " + directory + "/new/");
    assertError(
        post(query(directory.resolve("x")) + "&username=nobody-here", RAW, utf8("x")),
        401,
        "unknown user nobody-here");
    assertError(
        upload(directory.resolve("x"), "x", "X-Metadata-K", "\u00e9"), 400, "invalid metadata: ");
    assertError(
        upload(directory.resolve("x"), "x", "X-Metadata-" + "k".repeat(247), "v"),
        400,
        "invalid metadata: ");
    assertError(
        upload(directory.resolve("x"), "x", "X-Metadata-K", "v".repeat(4097)),
        400,
        "invalid metadata: ");
    assertThat(names(directory)).isEmpty();
  }

  @Test
  void gzipIsUnpackedAndABrokenOneLeavesTheOldFile() throws IOException {
    Path file = directory.resolve("f");
    byte[] content = utf8("some text ".repeat(500_000));
    byte[] packed = gzip(content);
    Map<String, String> headers =
        map("Content-Type", "application/octet-stream", "Content-Encoding", "gzip");
    assertThat(post(query(file), headers, packed).status()).isEqualTo(200);
    assertThat(file).hasBinaryContent(content);
    for (byte[] broken :
        new byte[][] {
          utf8("no gzip at all"),
          {},
          Arrays.copyOf(packed, packed.length / 2),
          Arrays.copyOf(packed, packed.length - 4)
        }) {
      assertError(post(query(file), headers, broken), 400, "error decompressing request body: ");
      assertThat(file).hasBinaryContent(content);
    }
    packed[packed.length / 2] ^= 0x55;
    assertError(post(query(file), headers, packed), 400, "error decompressing request body: ");
    assertThat(file).hasBinaryContent(content);
    assertThat(names(directory)).containsExactly("f");
  }

  @Test
  void metadataIsReplacedWithTheFile() {
    Path file = directory.resolve("f");
    assertThat(upload(file, "1", "X-Metadata-Author", "me", "X-Metadata-Z", "9").text())
        .contains("\"metadata\":{\"author\":\"me\",\"z\":\"9\"}");
    assertThat(upload(file, "2", "X-Metadata-B", "").text()).contains("\"metadata\":{\"b\":\"\"}");
    assertThat(upload(file, "3").text()).doesNotContain("metadata");
  }

  @Test
  void aNewFileBelongsToItsUserAndAnOldOneKeepsItsMode() throws IOException {
    assumeTrue(Shell.run("id", "-u").stdout().strip().equals("0"), "only root gives files away");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    Path file = directory.resolve("new/f");
    assertThat(post(query(file) + "&username=nobody", RAW, utf8("x")).status()).isEqualTo(200);
    assertThat(Files.getOwner(file).getName()).isEqualTo("nobody");
    assertThat(Files.getOwner(file.getParent()).getName()).isEqualTo("nobody");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-x---"));
    assertThat(post(query(file) + "&username=root", RAW, utf8("y")).status()).isEqualTo(200);
    assertThat(Files.getOwner(file).getName()).isEqualTo("root");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rwxr-x---");
  }

  @Test
  void anUploadThatStopsHalfWayEndsAndLeavesNothing() throws Exception {
    Path file = Files.writeString(directory.resolve("f"), "old");
    try (AgentProcess agent = AgentProcess.builder().flag("--upload-idle-limit", "500ms").start();
        HttpConnection connection = agent.http()) {
      connection.sendChunked("POST", query(file), RAW).chunk(new byte[100_000]);
      Reply reply = connection.reply();
      assertError(reply, 408, "nothing of the upload has come for 500 ms");
      assertThat(connection.closedByPeer(Deadline.in(Deadline.PATIENCE))).isTrue();
    }
    assertThat(file).hasContent("old");
    assertThat(names(directory)).containsExactly("f");
  }

  @Test
  void aClientThatLeavesInTheMiddleLeavesNothing() throws IOException {
    Path file = Files.writeString(directory.resolve("f"), "old");
    try (HttpConnection connection = AGENT.get().http()) {
      connection.write(
          utf8(
              "POST "
                  + query(file)
                  + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n"));
      connection.write(new byte[200_000]);
    }
    try (HttpConnection connection = AGENT.get().http()) {
      connection.write(
          utf8(
              "POST "
                  + query(directory.resolve("n/new"))
                  + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: 10\r\n\r\n12345"));
    }
    Awaitility.await()
        .atMost(10, TimeUnit.SECONDS)
        .until(() -> names(directory).equals(List.of("f")));
    assertThat(file).hasContent("old");
  }

  @Test
  void specialFilesAreWrittenTo() {
    assertThat(upload(Path.of("/dev/null"), "gone").status()).isEqualTo(200);
    assertError(upload(Path.of("/dev/full"), "x"), 507, "not enough disk space available");
  }

  @Test
  void compositionKnowsFilesByMoreThanTheirSpelling() throws IOException {
    Path a = Files.writeString(directory.resolve("a"), "one ");
    Path b = Files.writeString(directory.resolve("b"), "two");
    assertError(compose(directory + "/x/../a", a, b), 400, "cannot be the same as destination");
    Files.createDirectory(directory.resolve("x"));
    assertError(
        compose(directory + "/x/../a", b, a),
        400,
        "source path \\\"" + a + "\\\" cannot be the same as destination");
    assertError(
        compose(directory + "/c", a, directory.resolve("missing")),
        404,
        "source file not found: " + directory + "/missing");
    assertError(
        compose(directory + "/c", a, directory.resolve("x")),
        400,
        "source path is not a regular file: " + directory + "/x");
    assertError(compose(directory + "/c"), 400, "source_paths must not be empty");
    assertError(
        post("/files/compose", Map.of(), utf8("{\"source_paths\":[\"a\"]}")),
        400,
        "destination is required");
    assertError(post("/files/compose", Map.of(), utf8("{")), 400, "invalid request body: ");
    Reply reply = compose(directory + "/n/c.txt", a, b);
    assertThat(reply.text())
        .isEqualTo("{\"name\":\"c.txt\",\"path\":\"" + directory + "/n/c.txt\",\"type\":\"file\"}");
    assertThat(directory.resolve("n/c.txt")).hasContent("one two");
    assertThat(names(directory)).containsExactly("n", "x");
  }

  private static Reply compose(String destination, Path... sources) {
    StringBuilder list = new StringBuilder();
    for (Path source : sources) {
      list.append(list.isEmpty() ? "" : ",").append('"').append(source).append('"');
    }
    return post(
        "/files/compose",
        Map.of("Content-Type", "application/json"),
        utf8("{\"source_paths\":[" + list + "],\"destination\":\"" + destination + "\"}"));
  }

  // Another protocol, another identity.

  @Test
  void allOfItWorksOverHttp2() throws IOException {
    assumeTrue(
        Shell.run("sh", "-c", "curl --version | grep -q HTTP2").exitCode() == 0,
        "curl speaks no HTTP/2 here");
    byte[] content = random(9_000_000);
    Path source = Files.write(directory.resolve("source"), content);
    Path target = directory.resolve("target");
    String base = "http://127.0.0.1:" + AGENT.get().port();
    curl(
        "-H",
        "Content-Type: application/octet-stream",
        "--data-binary",
        "@" + source,
        base + query(target));
    assertThat(target).hasBinaryContent(content);
    Path got = directory.resolve("got");
    curl("-o", got.toString(), base + query(target));
    assertThat(got).hasBinaryContent(content);
    curl("-o", got.toString(), "--compressed", base + query(target));
    assertThat(got).hasBinaryContent(content);
    curl("-F", "file=@" + source + ";filename=" + directory + "/formed", base + "/files");
    assertThat(directory.resolve("formed")).hasBinaryContent(content);
    Path text = Files.writeString(directory.resolve("t.txt"), "0123456789");
    assertThat(curl("-r", "0-1,5-5", base + query(text)))
        .contains("\r\n\r\n01\r\n--")
        .contains("\r\n\r\n5\r\n--");
    assertThat(curl("-I", base + query(text))).contains("content-length: 10");
    assertThat(curl(base + query(directory.resolve("missing")))).contains("does not exist");
  }

  private static String curl(String... arguments) {
    String[] command =
        Stream.concat(Stream.of("curl", "-s", "--http2-prior-knowledge"), Arrays.stream(arguments))
            .toArray(String[]::new);
    return Shell.run(command).requireSuccess().stdout();
  }

  @Test
  void aUserMayDoWhatTheKernelAllowsThatUserWhereThatIsAskedFor() throws IOException {
    assumeTrue(Shell.run("id", "-u").stdout().strip().equals("0"), "only root may act as others");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
    Path roots = Files.writeString(directory.resolve("roots"), "secret");
    Files.setPosixFilePermissions(roots, PosixFilePermissions.fromString("rw-------"));
    Path shared = Files.writeString(directory.resolve("shared"), "old");
    Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rw-rw-rw-"));
    Path own = directory.resolve("own/f");
    try (AgentProcess agent =
        AgentProcess.builder().flag("--enforce-user-permissions", true).start()) {
      assertThat(as(agent, "POST", own).status()).isEqualTo(200);
      assertThat(as(agent, "POST", own).status()).isEqualTo(200); // replaces it
      assertThat(Files.getOwner(own).getName()).isEqualTo("nobody");
      assertThat(as(agent, "POST", shared).status()).isEqualTo(200);
      assertThat(Files.getOwner(shared).getName()).isEqualTo("root");
      assertThat(shared).hasContent("body");
      assertError(as(agent, "POST", roots), 403, "permission denied");
      assertError(as(agent, "GET", roots), 403, "permission denied");
      assertError(as(agent, "POST", Path.of("/etc/not-for-nobody")), 403, "permission denied");
      assertThat(as(agent, "GET", own).text()).isEqualTo("body");
    }
    assertThat(roots).hasContent("secret");
  }

  private static Reply as(AgentProcess agent, String method, Path path) {
    try (HttpConnection connection = agent.http()) {
      String target = query(path) + "&username=nobody";
      return method.equals("GET")
          ? connection.send("GET", target, Map.of()).reply()
          : connection.send("POST", target, RAW, utf8("body")).reply();
    }
  }

  // Full disks and killed agents.

  @Test
  void aFullDiskIsSaidAndLeavesNothing() throws IOException {
    Path disk = Files.createDirectory(directory.resolve("disk"));
    assumeTrue(
        Shell.run("mount", "-t", "tmpfs", "-o", "size=2m,nr_inodes=20", "tmpfs", disk.toString())
                .exitCode()
            == 0,
        "the tests may not mount a tmpfs here");
    try {
      Path old = disk.resolve("old");
      assertThat(upload(old, "old").status()).isEqualTo(200);
      byte[] large = random(4 << 20);
      assertError(
          post(query(old), RAW, large),
          507,
          "attempted to write 4194304 bytes: not enough disk space available");
      Map<String, String> packed =
          map("Content-Type", "application/octet-stream", "Content-Encoding", "gzip");
      assertError(
          post(query(old), packed, gzip(new byte[300 << 20])),
          507,
          "not enough disk space available");
      String form =
          "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\""
              + disk
              + "/part\"\r\n\r\n";
      ByteArrayOutputStream body = new ByteArrayOutputStream();
      body.writeBytes(utf8(form));
      body.writeBytes(large);
      body.writeBytes(utf8("\r\n--XX--"));
      assertError(
          post(
              "/files",
              Map.of("Content-Type", "multipart/form-data; boundary=XX"),
              body.toByteArray()),
          507,
          "not enough disk space available");
      Path source = Files.write(directory.resolve("source"), large);
      assertError(compose(disk + "/composed", source), 507, "not enough disk space available");
      assertThat(source).exists();
      assertThat(old).hasContent("old");
      assertThat(names(disk)).containsExactly("old");
      for (int i = 0; i < 30; i++) {
        int status = upload(disk.resolve("inode" + i), "").status();
        assertThat(status).isIn(200, 507);
      }
      assertError(upload(disk.resolve("one-more"), ""), 507, "not enough inodes available: ");
      assertThat(old).hasContent("old");
    } finally {
      Shell.run("umount", disk.toString()).requireSuccess();
    }
  }

  @Test
  void whatAKilledAgentLeavesIsRemovedAtTheNextStart(@TempDir Path state) throws Exception {
    Path old = Files.writeString(directory.resolve("old"), "old content");
    AgentProcess agent = AgentProcess.builder().stateDirectory(state).start();
    try (agent;
        HttpConnection first = agent.http();
        HttpConnection second = agent.http()) {
      first.sendChunked("POST", query(old), RAW).chunk(new byte[3_000_000]);
      second.sendChunked("POST", query(directory.resolve("new")), RAW).chunk(new byte[3_000_000]);
      try (HttpConnection third = agent.http()) { // notes are taken
        assertThat(third.send("POST", query(old), RAW, utf8("newer")).reply().status())
            .isEqualTo(200);
      }
      agent.killHard();
    }
    try (AgentProcess _ = AgentProcess.builder().stateDirectory(state).start()) {
      Awaitility.await()
          .atMost(10, TimeUnit.SECONDS)
          .until(() -> names(directory).equals(List.of("old")));
      Awaitility.await()
          .atMost(10, TimeUnit.SECONDS)
          .until(() -> names(state).stream().noneMatch(name -> name.startsWith("uploads-")));
    }
    assertThat(old).hasContent("newer");
  }

  @Test
  void twoGibibytesUpAndDownLeaveMemoryFlat() throws Exception {
    Path file = directory.resolve("big");
    upload(directory.resolve("warm"), "up");
    long before = ProcFs.residentBytes(AGENT.get().pid());
    long most = 0;
    try (HttpConnection connection = AGENT.get().http()) {
      long size = 2L << 30;
      connection.write(
          utf8(
              "POST "
                  + query(file)
                  + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: "
                  + size
                  + "\r\n\r\n"));
      byte[] piece = new byte[1 << 20];
      for (long sent = 0; sent < size; sent += piece.length) {
        connection.write(piece);
        if (sent % (128 << 20) == 0) {
          most = Math.max(most, ProcFs.residentBytes(AGENT.get().pid()));
        }
      }
      assertThat(connection.reply().status()).isEqualTo(200);
      assertThat(Files.size(file)).isEqualTo(size);
      connection.send("GET", query(file), Map.of());
      connection.head(Deadline.in(Deadline.PATIENCE));
      long got = 0;
      Deadline deadline = Deadline.in(Duration.ofMinutes(2));
      int n = connection.body(piece, 0, piece.length, deadline);
      while (n >= 0) {
        got += n;
        n = connection.body(piece, 0, piece.length, deadline);
      }
      assertThat(got).isEqualTo(size);
      most = Math.max(most, ProcFs.residentBytes(AGENT.get().pid()));
    }
    assertThat(most - before).isLessThan(32 << 20);
  }
}

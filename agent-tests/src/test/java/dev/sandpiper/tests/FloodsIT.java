package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.Background;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.FrameConnection;
import dev.sandpiper.tests.harness.FrameConnection.Frame;
import dev.sandpiper.tests.harness.HttpConnection;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/// Clients that send headers or frames without end are answered or cut off, and another one notices nothing.
final class FloodsIT {
  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static final int ENHANCE_YOUR_CALM = 11;
  private static final int CLIENTS = 8;

  private Follower bystander;
  private int pid;
  private int said;

  @BeforeEach
  void startBystander() {
    bystander = AGENT.get().json().start(Command.of("cat").stdin());
    pid = bystander.pid();
  }

  private void assertNothingNoticed() {
    said++;
    AGENT.get().json().sendStdin(pid, "line " + said + "\n");
    bystander.await("stdout", "line " + said + "\n");
  }

  @AfterEach
  void endBystander() {
    assertNothingNoticed();
    AGENT.get().json().closeStdin(pid);
    assertThat(bystander.end().exitCode()).isZero();
    bystander.close();
  }

  private static List<CompletableFuture<Integer>> clients(java.util.function.IntSupplier client) {
    return IntStream.range(0, CLIENTS).mapToObj(_ -> Background.supply(client::getAsInt)).toList();
  }

  /// A status, or 0 for a connection that was cut off while the client still talked.
  private static int answered(byte[] request) {
    try (HttpConnection connection = AGENT.get().http()) {
      return connection.write(request).reply().status();
    } catch (UncheckedIOException | HttpConnection.Cut e) {
      return 0;
    }
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  @Test
  void manySmallHeaders() {
    byte[] few =
        ascii("GET /health HTTP/1.1\r\nHost: localhost\r\n" + "a:b\r\n".repeat(900) + "\r\n");
    byte[] many =
        ascii("GET /health HTTP/1.1\r\nHost: localhost\r\n" + "a:b\r\n".repeat(1100) + "\r\n");
    byte[] flood =
        ascii("GET /health HTTP/1.1\r\nHost: localhost\r\n" + "a:b\r\n".repeat(1_000_000));
    assertThat(answered(few)).isEqualTo(204);
    assertThat(answered(many)).isEqualTo(431);
    List<CompletableFuture<Integer>> floods = clients(() -> answered(flood));
    assertNothingNoticed();
    assertThat(floods).allSatisfy(it -> assertThat(it.join()).isIn(431, 0));
  }

  @Test
  void manySmallTrailers() {
    byte[] flood =
        ascii(
            "POST /process.Process/List HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
                + "a:b\r\n".repeat(1_000_000));
    List<CompletableFuture<Integer>> floods = clients(() -> answered(flood));
    assertNothingNoticed();
    assertThat(floods).allSatisfy(it -> assertThat(it.join()).isIn(431, 0));
  }

  /// Each takes several times its size while it is decoded: many at once would not fit into the agent's heap.
  @Test
  void manyLargeMessagesAtOnce() throws IOException {
    byte[] message =
        ascii(
            "{\"process\":{\"pid\":2147483647},\"input\":{\"stdin\":\""
                + "eHh4".repeat(3_700_000)
                + "\"}}");
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(message);
    }
    for (Map<String, byte[]> way :
        List.of(Map.of("identity", message), Map.of("gzip", packed.toByteArray()))) {
      way.forEach((encoding, body) -> {
        List<CompletableFuture<Integer>> senders =
            clients(() -> {
              try (HttpConnection connection = AGENT.get().http()) {
                Map<String, String> headers =
                    Map.of("Content-Type", "application/json", "Content-Encoding", encoding);
                return connection
                    .send("POST", "/process.Process/SendInput", headers, body)
                    .reply()
                    .status();
              }
            });
        assertNothingNoticed();
        assertThat(senders).as(encoding).allSatisfy(it -> assertThat(it.join()).isEqualTo(404));
      });
    }
  }

  @Test
  void headersThatAreTooLong() {
    byte[] flood = ascii("GET /health HTTP/1.1\r\nHost: localhost\r\nA: " + "x".repeat(32 << 20));
    List<CompletableFuture<Integer>> floods = clients(() -> answered(flood));
    assertNothingNoticed();
    assertThat(floods).allSatisfy(it -> assertThat(it.join()).isIn(431, 0));
  }

  private static Map<String, String> manyFields(int count) {
    Map<String, String> fields =
        new LinkedHashMap<>(FrameConnection.fields("GET", "/health", Map.of()));
    for (int i = 0; i < count; i++) {
      fields.put("a" + i, "b");
    }
    return fields;
  }

  /// One header block, cut into frames of 16 KiB.
  private static void sendBlock(FrameConnection connection, int stream, byte[] block) {
    int type = FrameConnection.HEADERS;
    int flags = FrameConnection.END_STREAM;
    for (int at = 0; at < block.length; at += 16_384) {
      byte[] piece = java.util.Arrays.copyOfRange(block, at, Math.min(block.length, at + 16_384));
      if (at + 16_384 >= block.length) {
        flags |= FrameConnection.END_HEADERS;
      }
      connection.send(type, flags, stream, piece);
      type = FrameConnection.CONTINUATION;
      flags = 0;
    }
  }

  @Test
  void manyOrLongHeadersOverHttp2() {
    try (FrameConnection connection = FrameConnection.to(AGENT.get().port())) {
      int few = connection.newStream();
      sendBlock(connection, few, FrameConnection.block(manyFields(900)));
      assertThat(connection.reply(few).status()).isEqualTo(204);
      int many = connection.newStream();
      sendBlock(connection, many, FrameConnection.block(manyFields(1100)));
      assertThat(connection.reply(many).status()).isEqualTo(431);
      int tooLong = connection.newStream();
      Map<String, String> fields =
          new LinkedHashMap<>(FrameConnection.fields("GET", "/health", Map.of()));
      fields.put("a", "x".repeat(140_000));
      sendBlock(connection, tooLong, FrameConnection.block(fields));
      assertThat(connection.reply(tooLong).status()).isEqualTo(431);
      assertNothingNoticed();
      assertThat(connection.reply(connection.request("GET", "/health", Map.of(), true)).status())
          .as("the connection goes on")
          .isEqualTo(204);
    }
  }

  /// A few bytes that stand for a megabyte: one entry of the table, named again and again.
  @Test
  void headersThatUnpackToMuch() {
    ByteArrayOutputStream block = new ByteArrayOutputStream();
    block.writeBytes(FrameConnection.block(FrameConnection.fields("GET", "/health", Map.of())));
    block.write(0x40); // literal with indexing, a new name
    block.write(1);
    block.write('a');
    block.writeBytes(new byte[] {0x7f, (byte) (0x81 | 0), 30}); // a value of 127 + 1 + 30 * 128
    block.writeBytes(ascii("x".repeat(127 + 1 + 30 * 128)));
    for (int i = 0; i < 16_000; i++) {
      block.write(0x80 | 62); // the newest entry of the table
    }
    try (FrameConnection connection = FrameConnection.to(AGENT.get().port())) {
      for (int i = 0; i < 20; i++) {
        int stream = connection.newStream();
        sendBlock(connection, stream, block.toByteArray());
        assertThat(connection.reply(stream).status()).isEqualTo(431);
      }
      assertNothingNoticed();
    }
  }

  /// Frames that are sent until the agent closes; the error code of its GOAWAY, or -1 where a reset overtook it.
  private static int untilClosed(byte[] first, byte[] again, int times) {
    try (FrameConnection connection = FrameConnection.to(AGENT.get().port())) {
      connection.sendRaw(first);
      try {
        for (int i = 0; i < times; i++) {
          connection.sendRaw(again);
        }
      } catch (UncheckedIOException e) {
        // Closed while we still talked.
      }
      Frame goAway = connection.awaitClose();
      return goAway == null ? -1 : goAway.number(4);
    }
  }

  @Test
  void continuationsWithoutEnd() {
    byte[] head =
        FrameConnection.frame(
            FrameConnection.HEADERS,
            0,
            1,
            FrameConnection.block(FrameConnection.fields("GET", "/health", Map.of())));
    byte[] none = FrameConnection.frame(FrameConnection.CONTINUATION, 0, 1, new byte[0]);
    byte[] small =
        FrameConnection.frame(
            FrameConnection.CONTINUATION, 0, 1, FrameConnection.block(Map.of("a", "b")));
    byte[] large =
        FrameConnection.frame(
            FrameConnection.CONTINUATION,
            0,
            1,
            FrameConnection.block(Map.of("a", "x".repeat(16_000))));
    for (byte[] more : List.of(none, small, large)) {
      assertThat(untilClosed(head, more, 100_000)).isIn(ENHANCE_YOUR_CALM, 1, -1);
      assertNothingNoticed();
    }
  }

  @Test
  void streamsThatAreBegunAndReset() {
    byte[] block = FrameConnection.block(FrameConnection.fields("GET", "/health", Map.of()));
    ByteArrayOutputStream flood = new ByteArrayOutputStream();
    for (int stream = 1; stream < 40_000; stream += 2) {
      flood.writeBytes(
          FrameConnection.frame(
              FrameConnection.HEADERS,
              FrameConnection.END_HEADERS | FrameConnection.END_STREAM,
              stream,
              block));
      flood.writeBytes(
          FrameConnection.frame(
              FrameConnection.RST_STREAM, 0, stream, ByteBuffer.allocate(4).putInt(8).array()));
    }
    byte[] all = flood.toByteArray();
    List<CompletableFuture<Integer>> floods = clients(() -> untilClosed(new byte[0], all, 1));
    assertNothingNoticed();
    assertThat(floods).allSatisfy(it -> assertThat(it.join()).isIn(ENHANCE_YOUR_CALM, -1));
  }

  @Test
  void pingsAndSettingsWhoseAnswersNobodyReads() {
    byte[] ping = FrameConnection.frame(FrameConnection.PING, 0, 0, new byte[8]);
    byte[] settings = FrameConnection.frame(FrameConnection.SETTINGS, 0, 0, new byte[0]);
    for (byte[] one : List.of(ping, settings)) {
      ByteArrayOutputStream flood = new ByteArrayOutputStream();
      for (int i = 0; i < 10_000; i++) {
        flood.writeBytes(one);
      }
      assertThat(untilClosed(new byte[0], flood.toByteArray(), 1000)).isIn(ENHANCE_YOUR_CALM, -1);
      assertNothingNoticed();
    }
  }
}

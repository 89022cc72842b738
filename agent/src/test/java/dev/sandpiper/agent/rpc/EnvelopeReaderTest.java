package dev.sandpiper.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

final class EnvelopeReaderTest {
  private static final int LIMIT = 1000;

  private static byte[] envelope(int flags, byte[] message) {
    return ByteBuffer.allocate(5 + message.length)
        .put((byte) flags)
        .putInt(message.length)
        .put(message)
        .array();
  }

  private static List<String> all(EnvelopeReader reader) {
    List<String> messages = new ArrayList<>();
    for (byte[] next = reader.next(); next != null; next = reader.next()) {
      messages.add(new String(next, StandardCharsets.UTF_8));
    }
    return messages;
  }

  @Test
  void readsEnvelopesCutAtEveryOffset() {
    var body = new ByteArrayOutputStream();
    body.writeBytes(envelope(0, "one".getBytes(StandardCharsets.UTF_8)));
    body.writeBytes(envelope(0, new byte[0]));
    body.writeBytes(
        envelope(1, Compression.GZIP.compress("three".getBytes(StandardCharsets.UTF_8))));
    byte[] bytes = body.toByteArray();
    for (int first = 0; first <= bytes.length; first++) {
      for (int second = first; second <= bytes.length; second++) {
        var reader = new EnvelopeReader(Compression.GZIP, LIMIT, 0);
        reader.feed(Unpooled.wrappedBuffer(Arrays.copyOf(bytes, first)));
        reader.feed(Unpooled.wrappedBuffer(Arrays.copyOfRange(bytes, first, second)));
        reader.feed(Unpooled.wrappedBuffer(Arrays.copyOfRange(bytes, second, bytes.length)));
        reader.end();
        assertThat(all(reader)).containsExactly("one", "", "three");
        assertThat(reader.isEmpty()).isTrue();
      }
    }
  }

  @Test
  void refusesLengthsAboveTheLimitBeforeReadingThem() {
    for (int length : new int[] {LIMIT + 1, Integer.MAX_VALUE, -1, Integer.MIN_VALUE}) {
      var reader = new EnvelopeReader(Compression.IDENTITY, LIMIT, 0);
      byte[] head = ByteBuffer.allocate(5).put((byte) 0).putInt(length).array();
      assertCode(Status.Code.RESOURCE_EXHAUSTED, () -> reader.feed(Unpooled.wrappedBuffer(head)));
    }
  }

  @Test
  void refusesWhatUnpacksBeyondTheLimit() {
    var reader = new EnvelopeReader(Compression.GZIP, LIMIT, 0);
    reader.feed(
        Unpooled.wrappedBuffer(envelope(1, Compression.GZIP.compress(new byte[LIMIT + 1]))));
    assertCode(Status.Code.RESOURCE_EXHAUSTED, reader::next);
    var fits = new EnvelopeReader(Compression.DEFLATE, LIMIT, 0);
    fits.feed(Unpooled.wrappedBuffer(envelope(1, Compression.DEFLATE.compress(new byte[LIMIT]))));
    assertThat(fits.next()).hasSize(LIMIT);
  }

  @Test
  void refusesBrokenEnvelopes() {
    assertCode(
        Status.Code.INVALID_ARGUMENT,
        () ->
            new EnvelopeReader(Compression.IDENTITY, LIMIT, 0)
                .feed(Unpooled.wrappedBuffer(envelope(4, new byte[0]))));
    assertCode(
        Status.Code.INTERNAL,
        () ->
            new EnvelopeReader(Compression.IDENTITY, LIMIT, 0)
                .feed(Unpooled.wrappedBuffer(envelope(1, new byte[3]))));
    var garbage = new EnvelopeReader(Compression.GZIP, LIMIT, 0);
    garbage.feed(Unpooled.wrappedBuffer(envelope(1, new byte[30])));
    assertCode(Status.Code.INVALID_ARGUMENT, garbage::next);
    byte[] whole = envelope(0, new byte[10]);
    for (int cut = 1; cut < whole.length; cut++) {
      var reader = new EnvelopeReader(Compression.IDENTITY, LIMIT, 0);
      reader.feed(Unpooled.wrappedBuffer(Arrays.copyOf(whole, cut)));
      assertCode(Status.Code.INVALID_ARGUMENT, reader::end);
    }
  }

  @Test
  void skipsTrailersOfGrpcWeb() {
    var reader = new EnvelopeReader(Compression.IDENTITY, LIMIT, 0x80);
    reader.feed(Unpooled.wrappedBuffer(envelope(0x80, new byte[7]), envelope(0, new byte[] {'x'})));
    assertThat(all(reader)).containsExactly("x");
  }

  private static void assertCode(
      Status.Code code, org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            StatusRuntimeException.class, e -> assertThat(e.getStatus().getCode()).isEqualTo(code));
  }
}

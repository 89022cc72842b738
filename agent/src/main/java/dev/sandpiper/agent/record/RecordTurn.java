package dev.sandpiper.agent.record;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.record.EmitterPosition.StreamPosition;
import dev.sandpiper.agent.telemetry.Counters;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.InstantSource;
import java.util.function.Consumer;

/// What all processes share on the record thread, one at a time: buffers, encoder, clock.
final class RecordTurn {
  /// Half of what a splice moves at most, and as much as a batch takes.
  private static final int READ_BYTES = 64 * 1024;

  /// What may wait for line ends in all processes together: 40 million idle prompts, or 64 lines at the default limit.
  private static final long MOST_HELD_BYTES = 4 * 1024 * 1024;

  private final RecordSettings settings;
  private final RecordEncoder encoder;
  private final RecordLedger ledger;
  private final InstantSource clock;
  private final Counters counters;
  private final Consumer<ProcessFacts> onStart;
  private final LineSplitter.Held held = new LineSplitter.Held();
  private final JsonText.Measure measure = new JsonText.Measure();
  private final ByteBuffer direct = ByteBuffer.allocateDirect(READ_BYTES);
  private final byte[] bytes = new byte[READ_BYTES];

  RecordTurn(
      RecordSettings settings,
      RecordEncoder encoder,
      RecordLedger ledger,
      InstantSource clock,
      Counters counters,
      Consumer<ProcessFacts> onStart) {
    this.settings = settings;
    this.encoder = encoder;
    this.ledger = ledger;
    this.clock = clock;
    this.counters = counters;
    this.onStart = onStart;
  }

  RecordEncoder encoder() {
    return encoder;
  }

  /// A record of this process lies in the batch, or nothing more will come of it.
  void touch(ProcessRecords process) {
    ledger.touch(process);
  }

  Instant now() {
    return clock.instant();
  }

  int readBytes() {
    return READ_BYTES;
  }

  /// Reads the cursor's data into [#bytes]. Returns how much; never 0.
  int read(Cursor cursor, int length) {
    int count = cursor.read(direct.clear().limit(Math.min(length, READ_BYTES)));
    direct.flip().get(bytes, 0, count);
    if (count == 0) {
      throw new IllegalStateException("a cursor announced " + length + " bytes and gave none");
    }
    return count;
  }

  byte[] bytes() {
    return bytes;
  }

  /// How many raw bytes of a line fit into `most` bytes of text.
  int fit(byte[] line, int from, int to, long most) {
    measure.clear();
    measure.advance(line, from, to - from, true, most, Long.MAX_VALUE);
    return measure.rawBytes();
  }

  LineSplitter splitter(StreamPosition from) {
    return new LineSplitter(settings.lineLimitBytes(), held, from);
  }

  boolean holdsTooMuch() {
    return held.bytes() > MOST_HELD_BYTES;
  }

  void counted(StreamName stream) {
    counters.outputRecord(stream.text());
  }

  void startLeft(ProcessFacts facts) {
    onStart.accept(facts);
  }
}

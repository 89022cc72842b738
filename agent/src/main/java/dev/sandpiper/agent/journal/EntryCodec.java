package dev.sandpiper.agent.journal;

import dev.sandpiper.agent.journal.JournalEntry.Deleted;
import dev.sandpiper.agent.journal.JournalEntry.EmitterPosition;
import dev.sandpiper.agent.journal.JournalEntry.EndKind;
import dev.sandpiper.agent.journal.JournalEntry.Ended;
import dev.sandpiper.agent.journal.JournalEntry.Started;
import dev.sandpiper.agent.journal.JournalEntry.Used;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// Entries as bytes: one byte for the kind, then fields, each with a number and a length, so that a later version can add some
/// and an earlier one passes over them. Numbers of kinds and fields are never used again.
final class EntryCodec {
  private static final byte STARTED = 1;
  private static final byte ENDED = 2;
  private static final byte DELETED = 3;
  private static final byte EMITTER_POSITION = 4;

  private static final int PROCESS_ID = 1;

  private EntryCodec() {}

  /// What an entry is about, without the rest.
  record Head(byte kind, String processId) {
    boolean isDeleted() {
      return kind == DELETED;
    }

    boolean isStarted() {
      return kind == STARTED;
    }

    boolean isEmitterPosition() {
      return kind == EMITTER_POSITION;
    }
  }

  static Head head(byte[] body) throws Malformed {
    // Our own entries begin with a short process id: no need to look at the rest.
    if (body.length > 2 && body[1] == PROCESS_ID && body[2] >= 0 && body[2] <= body.length - 3) {
      return new Head(body[0], new String(body, 3, body[2], StandardCharsets.UTF_8));
    }
    Fields.Reader in = new Fields.Reader(body);
    return new Head(in.kind(), in.text(PROCESS_ID));
  }

  static byte[] encode(JournalEntry entry) {
    Fields.Writer out = new Fields.Writer();
    switch (entry) {
      case Started started -> {
        out.kind(STARTED);
        out.text(PROCESS_ID, started.processId());
        out.number(2, started.pid());
        out.number(3, started.startTicks());
        out.text(4, started.bootId());
        out.text(5, started.cmd());
        out.texts(6, started.args());
        out.text(7, started.cwd());
        out.text(8, started.user());
        out.text(9, started.tag());
        out.number(10, started.pty() ? 1 : 0);
        out.number(11, started.timeLimitMillis());
        out.number(12, started.startedAtMicros());
        out.textMap(13, started.facts());
        out.text(14, started.key());
        out.bytes(15, started.fingerprint());
        out.number(16, started.ephemeral() ? 1 : 0);
      }
      case Ended ended -> {
        out.kind(ENDED);
        out.text(PROCESS_ID, ended.processId());
        out.number(2, number(ended.kind()));
        out.number(3, ended.code());
        out.number(4, ended.coreDumped() ? 1 : 0);
        out.text(5, ended.cause());
        out.number(6, ended.endedAtMicros());
        out.numberMap(7, ended.streamBytes());
        out.bytes(8, ended.index());
        Used used = ended.used();
        if (used != null) {
          out.number(9, used.userMicros());
          out.number(10, used.systemMicros());
          out.number(11, used.peakKib());
        }
        out.text(12, ended.lost());
        out.number(13, ended.inputOffset());
      }
      case Deleted deleted -> {
        out.kind(DELETED);
        out.text(PROCESS_ID, deleted.processId());
      }
      case EmitterPosition position -> {
        out.kind(EMITTER_POSITION);
        out.text(PROCESS_ID, position.processId());
        out.numberMap(2, position.offsets());
        out.numberMap(3, position.state());
      }
    }
    return out.toByteArray();
  }

  /// Null for a kind that this version does not know.
  ///
  /// @throws Malformed when the checksum was right, but what it covers makes no sense
  static @Nullable JournalEntry decode(byte[] body) throws Malformed {
    Fields.Reader in = new Fields.Reader(body);
    return switch (in.kind()) {
      case STARTED ->
          new Started(
              in.text(PROCESS_ID),
              (int) in.number(2),
              in.number(3),
              in.text(4),
              in.text(5),
              in.texts(6),
              in.text(7),
              in.text(8),
              in.textOrNull(9),
              in.number(10) != 0,
              in.number(11),
              in.number(12),
              in.textMap(13),
              in.textOrNull(14),
              in.bytes(15),
              in.number(16) != 0);
      case ENDED ->
          new Ended(
              in.text(PROCESS_ID),
              endKind(in.number(2)),
              (int) in.number(3),
              in.number(4) != 0,
              in.text(5),
              in.number(6),
              in.numberMap(7),
              in.bytes(8),
              used(in),
              in.textOrNull(12),
              in.number(13));
      case DELETED -> new Deleted(in.text(PROCESS_ID));
      case EMITTER_POSITION ->
          new EmitterPosition(in.text(PROCESS_ID), in.numberMap(2), in.numberMap(3));
      default -> null;
    };
  }

  /// No process leaves no trace in memory: all zero means that nobody knew.
  private static @Nullable Used used(Fields.Reader in) throws Malformed {
    Used used = new Used(in.number(9), in.number(10), in.number(11));
    return used.peakKib() == 0 && used.userMicros() == 0 && used.systemMicros() == 0 ? null : used;
  }

  private static long number(EndKind kind) {
    return switch (kind) {
      case EXITED -> 0;
      case SIGNALED -> 1;
      case LOST -> 2;
    };
  }

  private static EndKind endKind(long number) throws Malformed {
    if (number == 0) {
      return EndKind.EXITED;
    }
    if (number == 1) {
      return EndKind.SIGNALED;
    }
    if (number == 2) {
      return EndKind.LOST;
    }
    throw new Malformed("unknown kind of end " + number);
  }
}

package dev.sandpiper.agent.rest;

import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/// Unpacks gzip (RFC 1952) as it comes in, cut anywhere, any number of members behind each other. What comes out goes to a
/// receiver in pieces of at most 64 KiB, so that a small body may unpack to any size without costing memory.
///
/// @param <X> what the receiver may throw
final class Gunzip<X extends Exception> implements AutoCloseable {
  private static final int OUTPUT_BYTES = 64 * 1024;
  private static final int FIXED_HEADER_BYTES = 10;
  private static final int TRAILER_BYTES = 8;

  // Flags of the header.
  private static final int HEADER_CRC = 2;
  private static final int EXTRA = 4;
  private static final int NAME = 8;
  private static final int COMMENT = 16;

  interface Receiver<X extends Exception> {
    /// Only valid during the call; never empty.
    void unpacked(ByteBuffer content) throws X;
  }

  /// Not gzip, or broken. The message is for the caller.
  static final class Broken extends Exception {
    private static final long serialVersionUID = 1L;

    Broken(String message) {
      super(message, null, false, false);
    }
  }

  private enum State {
    /// Between members, where the body may end if there was one.
    START,
    FIXED,
    EXTRA_LENGTH,
    EXTRA,
    NAME,
    COMMENT,
    HEADER_CRC,
    CONTENT,
    TRAILER
  }

  private final Receiver<X> receiver;
  private final Inflater inflater = new Inflater(true);
  private final ByteBuffer output = ByteBuffer.allocateDirect(OUTPUT_BYTES);
  private final CRC32 checksum = new CRC32();
  private final byte[] field = new byte[FIXED_HEADER_BYTES];
  private State state = State.START;
  private int have; // bytes of the field that is being read
  private int flags;
  private int skip;
  private boolean anyMember;

  Gunzip(Receiver<X> receiver) {
    this.receiver = receiver;
  }

  /// Takes the next bytes, all of them.
  void feed(ByteBuffer packed) throws X, Broken {
    while (packed.hasRemaining()) {
      switch (state) {
        case START -> {
          have = 0;
          state = State.FIXED;
        }
        case FIXED -> {
          if (fill(packed, FIXED_HEADER_BYTES)) {
            header();
          }
        }
        case EXTRA_LENGTH -> {
          if (fill(packed, 2)) {
            skip = (field[0] & 0xFF) | (field[1] & 0xFF) << 8;
            state = State.EXTRA;
          }
        }
        case EXTRA -> {
          int n = Math.min(skip, packed.remaining());
          packed.position(packed.position() + n);
          skip -= n;
          if (skip == 0) {
            after(EXTRA);
          }
        }
        case NAME -> skipText(packed, NAME);
        case COMMENT -> skipText(packed, COMMENT);
        case HEADER_CRC -> {
          if (fill(packed, 2)) {
            begin();
          }
        }
        case CONTENT -> inflate(packed);
        case TRAILER -> {
          if (fill(packed, TRAILER_BYTES)) {
            trailer();
          }
        }
      }
    }
  }

  /// The body is complete.
  void end() throws Broken {
    if (state != State.START || !anyMember) {
      throw new Broken(anyMember || state != State.START ? "unexpected EOF" : "EOF");
    }
  }

  private boolean fill(ByteBuffer from, int length) {
    int n = Math.min(length - have, from.remaining());
    from.get(field, have, n);
    have += n;
    return have == length;
  }

  private void header() throws Broken {
    if ((field[0] & 0xFF) != 0x1f || (field[1] & 0xFF) != 0x8b || field[2] != 8) {
      throw new Broken("gzip: invalid header");
    }
    flags = field[3];
    after(1);
  }

  /// Goes on to the next field that this member's header has.
  private void after(int done) {
    have = 0;
    if (done < EXTRA && (flags & EXTRA) != 0) {
      state = State.EXTRA_LENGTH;
    } else if (done < NAME && (flags & NAME) != 0) {
      state = State.NAME;
    } else if (done < COMMENT && (flags & COMMENT) != 0) {
      state = State.COMMENT;
    } else if ((flags & HEADER_CRC) != 0) {
      state = State.HEADER_CRC;
    } else {
      begin();
    }
  }

  private void skipText(ByteBuffer packed, int done) {
    while (packed.hasRemaining()) {
      if (packed.get() == 0) {
        after(done);
        return;
      }
    }
  }

  private void begin() {
    anyMember = true;
    inflater.reset();
    checksum.reset();
    state = State.CONTENT;
  }

  private void inflate(ByteBuffer packed) throws X, Broken {
    inflater.setInput(packed);
    try {
      while (true) {
        output.clear();
        int n = inflater.inflate(output);
        if (n > 0) {
          output.flip();
          checksum.update(output.duplicate());
          receiver.unpacked(output);
        }
        if (inflater.finished()) {
          have = 0;
          state = State.TRAILER;
          return;
        }
        if (n == 0) {
          if (inflater.needsDictionary()) {
            throw new Broken("gzip: invalid header");
          }
          if (inflater.needsInput()) {
            return;
          }
        }
      }
    } catch (DataFormatException e) {
      throw new Broken("gzip: corrupt input: " + e.getMessage());
    }
  }

  private void trailer() throws Broken {
    long crc = number(0);
    long size = number(4);
    if (crc != checksum.getValue() || size != (inflater.getBytesWritten() & 0xFFFFFFFFL)) {
      throw new Broken("gzip: invalid checksum");
    }
    state = State.START;
  }

  private long number(int at) {
    return (field[at] & 0xFFL)
        | (field[at + 1] & 0xFFL) << 8
        | (field[at + 2] & 0xFFL) << 16
        | (field[at + 3] & 0xFFL) << 24;
  }

  @Override
  public void close() {
    inflater.end();
  }
}

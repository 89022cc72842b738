package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileSource;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import org.jspecify.annotations.Nullable;

/// Fills buffers with a file up to its end, packed or as it is. On threads for files, one at a time.
final class FileFiller implements AutoCloseable {
  private static final int MAX_INPUT_BYTES = 64 * 1024;
  private static final byte[] GZIP_HEADER = {0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, (byte) 0xff};
  private static final int GZIP_TRAILER_BYTES = 8;

  enum Step {
    MORE,
    /// A FIFO or a terminal that may have something later.
    NOTHING_NOW,
    END
  }

  private final FileSource file;
  private final @Nullable Packer packer;
  private long offset;

  /// @param gzip whether to pack it
  FileFiller(FileSource file, boolean gzip) {
    this.file = file;
    this.packer = gzip ? new Packer() : null;
  }

  /// Fills a direct buffer, as far as there is something.
  Step fill(ByteBuffer room) throws FileFailure {
    return packer == null ? read(room) : packer.fill(room);
  }

  /// Closes the file too.
  @Override
  public void close() {
    file.close();
    if (packer != null) {
      packer.deflater.end();
    }
  }

  private Step read(ByteBuffer room) throws FileFailure {
    int read = file.read(room, offset);
    if (read == FileSource.NOTHING_NOW) {
      return Step.NOTHING_NOW;
    }
    offset += read;
    return room.hasRemaining() && (read == 0 || file.isRegular()) ? Step.END : Step.MORE;
  }

  private final class Packer {
    // The fastest level: the network in front of a sandbox is fast, and its processors are few.
    final Deflater deflater = new Deflater(Deflater.BEST_SPEED, true);
    private final ByteBuffer input = ByteBuffer.allocateDirect(inputBytes()).flip();
    private final CRC32 checksum = new CRC32();
    private boolean begun;

    /// Enough for a small file and the look behind its end.
    private int inputBytes() {
      long size = file.isRegular() ? file.size() : 0;
      return size > 0 ? (int) Math.min(MAX_INPUT_BYTES, size + 1) : MAX_INPUT_BYTES;
    }

    Step fill(ByteBuffer room) throws FileFailure {
      if (!begun) {
        begun = true;
        room.put(GZIP_HEADER);
      }
      while (room.remaining() > GZIP_TRAILER_BYTES) {
        if (deflater.needsInput()) {
          Step step = read(input.clear());
          if (step == Step.NOTHING_NOW) {
            return step;
          }
          checksum.update(input.flip().duplicate());
          deflater.setInput(input);
          if (step == Step.END) {
            deflater.finish();
          }
        }
        room.limit(room.limit() - GZIP_TRAILER_BYTES); // so that the trailer fits in any case
        deflater.deflate(room);
        room.limit(room.limit() + GZIP_TRAILER_BYTES);
        if (deflater.finished()) {
          littleEndian(room, (int) checksum.getValue());
          littleEndian(room, (int) deflater.getBytesRead());
          return Step.END;
        }
      }
      return Step.MORE;
    }

    private static void littleEndian(ByteBuffer room, int value) {
      room.put((byte) value)
          .put((byte) (value >>> 8))
          .put((byte) (value >>> 16))
          .put((byte) (value >>> 24));
    }
  }
}

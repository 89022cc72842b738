package dev.sandpiper.agent.service;

import dev.sandpiper.agent.filesystem.Entry;
import dev.sandpiper.agent.filesystem.EntrySink;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.rpc.EncodedMessage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The answer of one listing while it is made: in memory up to 1 MiB, beyond that in a file without a name in the agent's
/// own directory, from which it is sent. So a listing costs about 1 MiB of memory, however long it is and however slowly
/// its client reads.
///
/// Before more than that is taken, somebody with the agent's own rights has to open the file: the thread that lists may
/// have those of a user. One thread at a time.
final class EntryOutput implements EntrySink {
  private static final Logger log = LoggerFactory.getLogger("filesystem");

  /// About 4,000 entries.
  private static final int MEMORY_BYTES = 1 << 20;

  /// What is written to the file at a time. The JDK keeps a buffer of this size for the thread.
  private static final int CHUNK_BYTES = 64 * 1024;

  /// About four million entries; a longer answer is refused.
  private static final long ANSWER_BYTES = 1L << 30;

  private static final AtomicInteger NUMBERS = new AtomicInteger();

  private final EntryWire wire;
  private final Path directory;
  private final FileCall call;
  private final ByteBuilder bytes = new ByteBuilder(4096);
  private @Nullable FileChannel file;
  private long written;
  private int count;

  EntryOutput(FileCall call, Path directory) {
    this.call = call;
    this.wire = call.wire();
    this.directory = directory;
  }

  /// False where [#openFile] is to be called first.
  @Override
  public boolean add(Entry entry) throws FileFailure {
    if (call.isCancelled()) {
      throw new FileFailure(Kind.OTHER, 0, "the client has gone");
    }
    wire.item(entry, count++, bytes);
    FileChannel open = file;
    if (open == null) {
      return bytes.length() < MEMORY_BYTES;
    }
    if (bytes.length() >= CHUNK_BYTES) {
      write(open);
    }
    return true;
  }

  /// Needs the agent's own rights.
  void openFile() throws FileFailure {
    Path path = directory.resolve("listing-" + NUMBERS.incrementAndGet() + ".tmp");
    try {
      Files.deleteIfExists(path); // left by an agent that was killed between the next two lines
      file =
          FileChannel.open(
              path,
              StandardOpenOption.CREATE_NEW,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE);
      Files.delete(path);
    } catch (IOException e) {
      throw kept(e);
    }
  }

  private FileFailure kept(IOException e) {
    log.warn("a long listing cannot be kept in {}", directory, e);
    return new FileFailure(
        Kind.OTHER, 0, "a listing of more than 1 MiB cannot be kept in a file: " + e.getMessage());
  }

  private void write(FileChannel open) throws FileFailure {
    written += bytes.length();
    if (written > ANSWER_BYTES) {
      throw new FileFailure(
          Kind.LIMIT,
          0,
          "the listing is larger than "
              + (ANSWER_BYTES >> 20)
              + " MiB after "
              + count
              + " entries");
    }
    try {
      ByteBuffer from = ByteBuffer.wrap(bytes.array(), 0, bytes.length());
      while (from.hasRemaining()) {
        from.limit(Math.min(from.position() + CHUNK_BYTES, bytes.length()));
        open.write(from);
        from.limit(bytes.length());
      }
    } catch (IOException e) {
      throw kept(e);
    }
    bytes.clear();
  }

  /// The whole answer, which takes over the file.
  EncodedMessage finish() throws FileFailure {
    wire.end(count, bytes);
    FileChannel open = file;
    if (open == null) {
      return EncodedMessage.inMemory(bytes.array(), bytes.length());
    }
    write(open);
    file = null;
    return EncodedMessage.inFile(open, (int) written, () -> close(open));
  }

  /// Gives up. May be called twice.
  void discard() {
    FileChannel open = file;
    if (open != null) {
      file = null;
      close(open);
    }
  }

  private static void close(FileChannel file) {
    try {
      file.close();
    } catch (IOException e) {
      log.warn("the file of a listing could not be closed", e);
    }
  }
}

package dev.sandpiper.agent.journal;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The append-only file of process lives. Thread-safe.
///
/// It is rewritten without what no longer counts when it is opened, and when it has grown to several times what counted then.
public final class Journal implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Journal.class);

  private static final int BUFFER_BYTES = 16 * 1024;

  private static final int REWRITE_BYTES = 64 * 1024;

  /// Below this nobody minds: some 8,000 short lives.
  private static final long COMPACT_BYTES = 4 << 20;

  private static final int COMPACT_GROWTH = 2;

  private final Path path;
  private final boolean sync;
  private final long compactBytes;

  @GuardedBy("this")
  private List<JournalEntry> entries;

  @GuardedBy("this")
  private int fd;

  @GuardedBy("this")
  private long size;

  @GuardedBy("this")
  private long compactAt;

  @GuardedBy("this")
  private ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);

  private Journal(Path path, boolean sync, long compactBytes, List<JournalEntry> entries) {
    this.path = path;
    this.sync = sync;
    this.compactBytes = compactBytes;
    this.entries = entries;
    this.fd = -1;
  }

  /// Opens the file, or creates it. What is wrong with it is added to `notes`; what could be read of a damaged one is kept, and
  /// the original set aside.
  static Journal open(Path path, boolean sync, List<String> notes) throws IOException {
    return open(path, sync, notes, COMPACT_BYTES);
  }

  static Journal open(Path path, boolean sync, List<String> notes, long compactBytes)
      throws IOException {
    Compaction compaction = new Compaction();
    List<JournalEntry> entries = new ArrayList<>();
    Path source = path;
    boolean rewrite = true;
    if (Files.exists(path)) {
      JournalFile.Content content = JournalFile.read(path, compaction::see);
      switch (content.state()) {
        case WHOLE -> rewrite = false;
        case TORN -> {} // Nobody was told of that entry.
        case DAMAGED, FOREIGN -> {
          source = SetAside.file(path);
          notes.add(
              "journal %s: %s; it is kept as %s, and %d entries of it are used"
                  .formatted(path, content.problem(), source, content.entries()));
        }
      }
      int[] counting = new int[1];
      int[] malformed = {compaction.malformed()};
      JournalFile.read(
          source,
          (number, body) -> {
            if (compaction.counts(number, body)) {
              counting[0]++;
              try {
                JournalEntry entry = EntryCodec.decode(body);
                if (entry != null) {
                  entries.add(entry);
                }
              } catch (Malformed _) {
                malformed[0]++;
              }
            }
          });
      rewrite |= counting[0] < content.entries();
      if (malformed[0] > 0) {
        notes.add(
            "journal %s: %d entries are not understood and passed over"
                .formatted(path, malformed[0]));
      }
    }
    Journal journal = new Journal(path, sync, compactBytes, List.copyOf(entries));
    synchronized (journal) {
      if (rewrite) {
        journal.rewrite(Files.exists(source) ? source : null, compaction);
      } else {
        journal.reopen();
      }
    }
    return journal;
  }

  /// What the file held when it was opened, oldest first, without deleted processes and superseded positions. Given once: the
  /// next call answers an empty list.
  public synchronized List<JournalEntry> entries() {
    List<JournalEntry> given = entries;
    entries = List.of();
    return given;
  }

  /// Appends one entry with one `write(2)`. When this returns, the entry survives the agent (with the fsync setting: a power
  /// cut as well).
  ///
  /// @throws IOException when it could not be written, naming the file; the journal is then as it was before
  public void append(JournalEntry entry) throws IOException {
    byte[] frame = JournalFile.frame(EntryCodec.encode(entry));
    if (frame.length > JournalFile.MAX_BODY_BYTES) {
      throw new IOException(
          "an entry of %d bytes is too large for the journal %s".formatted(frame.length, path));
    }
    // The write is under the lock: it puts entries into one order, and takes microseconds.
    synchronized (this) {
      write(frame);
      if (size >= compactAt) {
        compact();
      }
    }
  }

  @GuardedBy("this")
  private void write(byte[] frame) throws IOException {
    if (fd < 0) {
      throw new IOException("the journal %s is closed".formatted(path));
    }
    ByteBuffer direct =
        frame.length <= buffer.capacity()
            ? buffer.clear()
            : ByteBuffer.allocateDirect(frame.length);
    direct.put(frame).flip();
    while (direct.hasRemaining()) {
      long count = Posix.write(fd, direct);
      if (count < 0 && count != -Errno.EINTR) {
        // Half an entry in the middle would hide all that follow.
        int cut = Posix.ftruncate(fd, size);
        if (cut < 0) {
          close();
        }
        throw failed("write", count);
      }
    }
    size += frame.length;
    if (sync) {
      int synced = Posix.fdatasync(fd);
      if (synced < 0) {
        throw failed("sync", synced);
      }
    }
  }

  /// Leaves out what no longer counts. Appending waits for it meanwhile: some ten milliseconds per 4 MiB, once in thousands of
  /// processes.
  @GuardedBy("this")
  private void compact() {
    try {
      Compaction compaction = new Compaction();
      JournalFile.read(path, compaction::see);
      rewrite(path, compaction);
    } catch (IOException failure) {
      compactAt = size * COMPACT_GROWTH;
      LOG.warn("the journal {} could not be compacted and goes on growing", path, failure);
    }
  }

  /// Writes what counts into a new file beside the old one, then puts it in its place.
  @GuardedBy("this")
  private void rewrite(@Nullable Path source, Compaction compaction) throws IOException {
    Path fresh = path.resolveSibling(path.getFileName() + ".new");
    int flags = Fcntl.O_WRONLY | Fcntl.O_CREAT | Fcntl.O_TRUNC | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW;
    int to = Posix.open(fresh.toString(), flags, 0600);
    if (to < 0) {
      throw new IOException("cannot create %s: %s".formatted(fresh, Errno.describe(to)));
    }
    try {
      ByteBuffer direct = ByteBuffer.allocateDirect(REWRITE_BYTES);
      direct.put(JournalFile.header());
      if (source != null) {
        JournalFile.read(
            source,
            (number, body) -> {
              if (compaction.counts(number, body)) {
                put(direct, JournalFile.frame(body), to, fresh);
              }
            });
      }
      flush(direct, to, fresh);
      Posix.fdatasync(to); // Else a power cut could leave an empty file in the place of a full one.
    } finally {
      Posix.close(to);
    }
    int renamed = Posix.rename(fresh.toString(), path.toString());
    if (renamed < 0) {
      throw failed("replace", renamed);
    }
    reopen();
  }

  private static void put(ByteBuffer direct, byte[] bytes, int to, Path file) throws IOException {
    for (int at = 0; at < bytes.length; ) {
      if (!direct.hasRemaining()) {
        flush(direct, to, file);
      }
      int count = Math.min(direct.remaining(), bytes.length - at);
      direct.put(bytes, at, count);
      at += count;
    }
  }

  private static void flush(ByteBuffer direct, int to, Path file) throws IOException {
    direct.flip();
    while (direct.hasRemaining()) {
      long count = Posix.write(to, direct);
      if (count < 0) {
        throw new IOException("cannot write %s: %s".formatted(file, Errno.describe(count)));
      }
    }
    direct.clear();
  }

  @GuardedBy("this")
  private void reopen() throws IOException {
    if (fd >= 0) {
      Posix.close(fd);
    }
    int flags = Fcntl.O_WRONLY | Fcntl.O_APPEND | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW;
    fd = Posix.open(path.toString(), flags, 0);
    if (fd < 0) {
      throw failed("open", fd);
    }
    size = Files.size(path);
    compactAt = Math.max(compactBytes, size * COMPACT_GROWTH);
  }

  private IOException failed(String what, long result) {
    return new IOException(
        "cannot %s the journal %s: %s".formatted(what, path, Errno.describe(result)));
  }

  /// Closes the file. Twice is fine; appending afterwards is an error.
  @Override
  public synchronized void close() {
    if (fd >= 0) {
      Posix.close(fd);
      fd = -1;
    }
  }
}

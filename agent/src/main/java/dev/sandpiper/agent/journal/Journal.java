package dev.sandpiper.agent.journal;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The append-only file of process lives. Thread-safe.
///
/// It is rewritten without what no longer counts when it is opened, and when it has grown to several times what counted then.
///
/// Room for what comes next is reserved behind its end, so that a full disk does not cost the next few hundred entries; when
/// no more can be reserved, whoever has room to give is asked for it.
public final class Journal implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Journal.class);

  private static final int BUFFER_BYTES = 16 * 1024;

  /// Below this nobody minds: some 8,000 short lives.
  private static final long COMPACT_BYTES = 4 << 20;

  private static final int COMPACT_GROWTH = 2;

  /// A thousand short lives or so; twice this is reserved at a time.
  private static final long RESERVE_BYTES = 256 * 1024;

  private static final long LAST_BYTES = 32 * 1024;

  /// Reserving is not possible here.
  private static final long EVERYTHING = Long.MAX_VALUE;

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

  /// Where the room ends that is there for certain.
  @GuardedBy("this")
  private long reservedTo;

  private volatile Runnable needsRoom = () -> {};

  /// Null while there is none.
  @GuardedBy("this")
  private @Nullable Thread compaction;

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

  /// The entries of a journal, as far as they can be read; nothing of it is changed, and nobody has to be told.
  ///
  /// @param path may be missing: then there are none
  public static List<JournalEntry> read(Path path) throws IOException {
    List<JournalEntry> entries = new ArrayList<>();
    if (Files.exists(path)) {
      Compaction compaction = new Compaction();
      JournalFile.read(path, compaction::see);
      decode(path, compaction, entries, new int[1]);
    }
    return List.copyOf(entries);
  }

  /// Adds what counts. Returns how many count; adds those not understood to `malformed`.
  private static int decode(
      Path source, Compaction compaction, List<JournalEntry> entries, int[] malformed)
      throws IOException {
    int[] counting = new int[1];
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
    return counting[0];
  }

  static Journal open(Path path, boolean sync, List<String> notes, long compactBytes)
      throws IOException {
    Compaction compaction = new Compaction();
    List<JournalEntry> entries = new ArrayList<>();
    Path source = path;
    boolean rewrite = true;
    long validBytes = 0; // of a file that can be used as it is
    if (Files.exists(path)) {
      JournalFile.Content content = JournalFile.read(path, compaction::see);
      switch (content.state()) {
        case WHOLE -> {
          rewrite = false;
          validBytes = content.validBytes();
        }
        case TORN -> validBytes = content.validBytes(); // Nobody was told of that entry.
        case DAMAGED, FOREIGN -> {
          source = SetAside.file(path);
          notes.add(
              "journal %s: %s; it is kept as %s, and %d entries of it are used"
                  .formatted(path, content.problem(), source, content.entries()));
        }
      }
      int[] malformed = {compaction.malformed()};
      int counting = decode(source, compaction, entries, malformed);
      rewrite |= counting < content.entries();
      if (malformed[0] > 0) {
        notes.add(
            "journal %s: %d entries are not understood and passed over"
                .formatted(path, malformed[0]));
      }
    }
    Journal journal = new Journal(path, sync, compactBytes, List.copyOf(entries));
    synchronized (journal) {
      if (rewrite) {
        try (JournalRewrite fresh = new JournalRewrite(path)) {
          if (Files.exists(source)) {
            fresh.copy(source, Long.MAX_VALUE, compaction);
          }
          fresh.sync();
          fresh.replace();
        } catch (IOException failure) {
          if (validBytes == 0) {
            throw failure;
          }
          // A full disk: what does not count stays for now.
          try (FileChannel file = FileChannel.open(path, StandardOpenOption.WRITE)) {
            file.truncate(validBytes);
          }
          notes.add("%s; it is used as it is".formatted(failure.getMessage()));
        }
      }
      journal.reopen();
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
    appendFrames(frame(entry));
  }

  /// The same for several entries, with one `write(2)` for all: a crash leaves none, some of the first, or all of them.
  public void append(List<? extends JournalEntry> several) throws IOException {
    ByteArrayOutputStream frames = new ByteArrayOutputStream(several.size() * 64);
    for (JournalEntry entry : several) {
      frames.writeBytes(frame(entry));
    }
    appendFrames(frames.toByteArray());
  }

  private byte[] frame(JournalEntry entry) throws IOException {
    byte[] frame = JournalFile.frame(EntryCodec.encode(entry));
    if (frame.length > JournalFile.MAX_BODY_BYTES) {
      throw new IOException(
          "an entry of %d bytes is too large for the journal %s".formatted(frame.length, path));
    }
    return frame;
  }

  /// Sets who is asked for room on the disk when it gets scarce: while entries can still be appended, as far as they fit into
  /// what is reserved, and again with each append until there is some. It must wait for nothing.
  public void onNeedsRoom(Runnable listener) {
    needsRoom = listener;
  }

  private void appendFrames(byte[] frame) throws IOException {
    boolean scarce = false;
    try {
      // The write is under the lock: it puts entries into one order, and takes microseconds.
      synchronized (this) {
        scarce = !reserve(frame.length);
        write(frame);
        if (size >= compactAt && compaction == null) {
          long limit = size;
          compaction =
              Thread.ofPlatform().daemon().name("journal-compaction").start(() -> compact(limit));
        }
      }
    } finally {
      if (scarce) {
        needsRoom.run();
      }
    }
  }

  /// False when the disk is full.
  @GuardedBy("this")
  private boolean reserve(int bytes) {
    if (fd < 0 || size + bytes + RESERVE_BYTES <= reservedTo) {
      return true;
    }
    long wanted = bytes + 2 * RESERVE_BYTES;
    int reserved = Posix.reserve(fd, size, wanted);
    boolean full = reserved == -Errno.ENOSPC || reserved == -Errno.EDQUOT;
    if (full) {
      wanted = bytes + LAST_BYTES; // a bit, before output takes it
      reserved = size + wanted <= reservedTo ? 0 : Posix.reserve(fd, size, wanted);
    }
    if (reserved == 0) {
      reservedTo = Math.max(reservedTo, size + wanted);
    } else if (!full) {
      reservedTo = EVERYTHING;
    }
    return !full;
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
        reservedTo = Math.min(reservedTo, size); // which gives back what is behind the end
        if (cut < 0) {
          letGo();
        }
        throw failed("write", count);
      }
    }
    if (sync) {
      int synced = Posix.fdatasync(fd);
      if (synced < 0) {
        Posix.ftruncate(fd, size);
        throw failed("sync", synced);
      }
    }
    size += frame.length;
  }

  /// Leaves out what no longer counts of the first `limit` bytes, on a thread of its own: appending only waits while what was
  /// appended meanwhile is taken over.
  private void compact(long limit) {
    try (JournalRewrite fresh = new JournalRewrite(path)) {
      Compaction compaction = new Compaction();
      JournalFile.read(path, limit, compaction::see);
      fresh.copy(path, limit, compaction);
      fresh.sync();
      synchronized (this) {
        if (fd >= 0) {
          fresh.copyTail(path, limit, size);
          fresh.replace();
          reopen();
        }
      }
    } catch (IOException failure) {
      synchronized (this) {
        compactAt = size * COMPACT_GROWTH;
      }
      LOG.warn("the journal {} could not be compacted and goes on growing", path, failure);
    } finally {
      synchronized (this) {
        compaction = null;
      }
    }
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
    reservedTo = size;
    compactAt = Math.max(compactBytes, size * COMPACT_GROWTH);
  }

  private IOException failed(String what, long result) {
    return new IOException(
        "cannot %s the journal %s: %s".formatted(what, path, Errno.describe(result)));
  }

  /// Closes the file, and waits for a compaction that is under way. Twice is fine; appending afterwards is an error.
  @Override
  public void close() {
    Thread running;
    synchronized (this) {
      letGo();
      running = compaction;
    }
    if (running != null) {
      try {
        running.join();
      } catch (InterruptedException _) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @GuardedBy("this")
  private void letGo() {
    if (fd >= 0) {
      Posix.close(fd);
      fd = -1;
    }
  }
}

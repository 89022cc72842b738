package dev.sandpiper.agent.filesystem;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileNames;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Remembers, past the death of the agent, which temporary files it has given a name in users' directories, so that the
/// next one removes what is left of them.
///
/// A note is taken before the name is made and crossed out when it is gone. It names the file by path, device and inode
/// and says nothing where another file lies under the path meanwhile. Notes are slots of a small file in the state
/// directory, written with one call each: what is in the page cache survives the agent, if not a power cut. Each run has a
/// file of its own, so that old notes can be worked off while new ones are taken. Thread-safe.
public final class UploadNotes {
  private static final Logger log = LoggerFactory.getLogger("filesystem");

  private static final String PREFIX = "uploads-";

  /// Length, checksum, device, inode, and a path of at most 4,095 bytes.
  private static final int SLOT_BYTES = 8192;

  private static final int HEAD_BYTES = 24;
  private static final int OPEN_SECONDS = 10;

  /// A file that has no inode yet: only its name is known, 128 random bits of it.
  private static final long UNKNOWN = 0;

  /// Where new notes go; the file is made with the first.
  private final Path file;

  private final Path directory;

  /// Requests may come before the state directory is ours.
  private final CountDownLatch opened = new CountDownLatch(1);

  private final ByteBuffer buffer =
      ByteBuffer.allocateDirect(SLOT_BYTES).order(ByteOrder.nativeOrder());

  @GuardedBy("this")
  private final ArrayDeque<Integer> freeSlots = new ArrayDeque<>();

  @GuardedBy("this")
  private int slots;

  @GuardedBy("this")
  private int fd = -1;

  /// Makes and reads nothing yet.
  ///
  /// @param directory the agent's state directory
  public UploadNotes(Path directory) {
    this.directory = directory;
    this.file = directory.resolve(PREFIX + UUID.randomUUID());
  }

  /// The state directory is there, and ours. Until then [#take] waits.
  ///
  /// @param now whether the file is made now: threads that work with a user's rights could not
  public void open(boolean now) throws IOException {
    if (now) {
      try {
        synchronized (this) {
          openFile();
        }
      } catch (FileFailure failure) {
        throw new IOException(failure.getMessage(), failure);
      }
    }
    opened.countDown();
  }

  /// One note. Crossed out once.
  final class Note {
    private final int slot;

    private Note(int slot) {
      this.slot = slot;
    }

    void crossOut() {
      synchronized (UploadNotes.this) {
        buffer.clear().putLong(0).flip();
        long result = fd < 0 ? 0 : Posix.pwrite(fd, buffer, (long) slot * SLOT_BYTES);
        if (result < 0) {
          log.warn("{} cannot be written: {}", file, Errno.describe(result));
        }
        freeSlots.push(slot);
      }
    }
  }

  /// Notes a file that is about to get the name.
  ///
  /// @param status null where the file is yet to be made
  /// @throws FileFailure where it cannot be noted; then the name must not be made
  Note take(String path, @Nullable FileStatus status) throws FileFailure {
    byte[] name = FileNames.encode(path);
    awaitOpen();
    synchronized (this) {
      openFile();
      Integer free = freeSlots.poll();
      int slot = free == null ? slots++ : free;
      buffer.clear();
      buffer.putInt(name.length).putInt(0);
      buffer.putLong(status == null ? UNKNOWN : status.device());
      buffer.putLong(status == null ? UNKNOWN : status.inode());
      buffer.put(name).flip();
      buffer.putInt(4, checksum(buffer));
      int length = buffer.remaining();
      long written = Posix.pwrite(fd, buffer, (long) slot * SLOT_BYTES);
      if (written != length) {
        freeSlots.push(slot);
        throw FileFailure.of(
            (int) (written < 0 ? written : -Errno.ENOSPC), "write", file.toString());
      }
      return new Note(slot);
    }
  }

  private void awaitOpen() throws FileFailure {
    try {
      if (!opened.await(OPEN_SECONDS, TimeUnit.SECONDS)) {
        throw new FileFailure(FileFailure.Kind.STOPPING, 0, "the state directory is not open");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new FileFailure(FileFailure.Kind.STOPPING, 0, "the agent is stopping");
    }
  }

  @GuardedBy("this")
  private void openFile() throws FileFailure {
    if (fd < 0) {
      int created =
          Posix.open(
              file.toString(),
              Fcntl.O_WRONLY | Fcntl.O_CREAT | Fcntl.O_EXCL | Fcntl.O_CLOEXEC,
              0600);
      if (created < 0) {
        throw FileFailure.of(created, "create", file.toString());
      }
      fd = created;
    }
  }

  private static int checksum(ByteBuffer note) {
    CRC32 checksum = new CRC32();
    checksum.update(note.duplicate().position(8));
    return (int) checksum.getValue() | 1; // never zero
  }

  /// Removes what agents before this one left behind; their files are named in `file` of the same directory. Blocks on
  /// users' file systems, so it is not for the start-up path.
  public void removeLeftovers() {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, PREFIX + "*")) {
      for (Path old : files) {
        if (!old.equals(file)) {
          removeLeftovers(old);
        }
      }
    } catch (IOException failure) {
      log.warn("{} cannot be searched for notes of broken uploads", directory, failure);
    }
  }

  private static void removeLeftovers(Path old) throws IOException {
    ByteBuffer notes = ByteBuffer.wrap(Files.readAllBytes(old)).order(ByteOrder.nativeOrder());
    for (int at = 0; at + HEAD_BYTES < notes.limit(); at += SLOT_BYTES) {
      int length = notes.getInt(at);
      if (length > 0 && length <= notes.limit() - at - HEAD_BYTES) {
        ByteBuffer note = notes.slice(at, HEAD_BYTES + length).order(ByteOrder.nativeOrder());
        if (note.getInt(4) == checksum(note)) {
          byte[] name = new byte[length];
          note.get(HEAD_BYTES, name);
          remove(FileNames.decode(name), note.getLong(8), note.getLong(16));
        }
      }
    }
    Files.delete(old);
  }

  private static void remove(String path, long device, long inode) {
    FileStatus now = At.status(Fcntl.AT_FDCWD, path, Fcntl.AT_SYMLINK_NOFOLLOW);
    boolean ours =
        now.exists()
            && now.isRegular()
            && (inode == UNKNOWN || (now.inode() == inode && now.device() == device))
            && UploadNames.isTemporary(path.substring(path.lastIndexOf('/') + 1));
    if (ours) {
      int result = Posix.unlink(path);
      if (result < 0) {
        log.warn(
            "{}, left by a broken upload, cannot be removed: {}", path, Errno.describe(result));
      } else {
        log.info("removed {}, which a broken upload had left", path);
      }
    }
  }

  /// Forgets the file of this run. No note may be open; what follows is not noted any more.
  public synchronized void close() {
    if (fd >= 0) {
      Posix.close(fd);
      fd = -1;
      if (freeSlots.size() == slots) {
        Posix.unlink(file.toString());
      }
    }
  }
}

package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.Paths;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.DirectoryReader;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// One listing of a directory and, to a depth, of those below it: each before what it holds, names in byte order.
///
/// The tree may change meanwhile. Each directory is opened from the one above it, without following links, and its names
/// are read at once; what vanished since is left out, and so is what is in a directory that vanished or cannot be read.
/// In memory are the names of the directories from the root to where the listing is, and nothing of the entries.
///
/// A listing can be left and gone on with, also from another thread, as long as one thread at a time does it.
public final class Listing implements AutoCloseable {
  /// For all listings together; the one that would go beyond is refused. A million names of ordinary length.
  private static final long NAMES_BYTES = 32L << 20;

  private static final AtomicLong namesBytes = new AtomicLong();

  private static final int OPEN =
      Fcntl.O_RDONLY | Fcntl.O_DIRECTORY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC;

  private static final int PATH_MAX = 4096;

  private final EntryReader reader;
  private final String root;
  private final long depth;
  private final Deque<Level> levels = new ArrayDeque<>();

  /// One open directory, with how far its names have been gone through.
  private static final class Level {
    final int fd;
    final String path; // without a slash at its end
    final NameList names;
    final long bytes;
    int next;

    Level(int fd, String path, NameList names) {
      this.fd = fd;
      this.path = path;
      this.names = names;
      this.bytes = names.bytes();
    }
  }

  /// @param depth how many levels, unsigned; 0 means 1
  Listing(Users users, String root, int depth) {
    this.reader = new EntryReader(users);
    this.root = root;
    this.depth = depth == 0 ? 1 : Integer.toUnsignedLong(depth);
  }

  /// Opens the directory.
  void open() throws FileFailure {
    int fd = Posix.open(root, OPEN, 0);
    if (fd == -Errno.ELOOP) {
      String resolved = Links.resolve(root);
      fd = resolved == null ? fd : Posix.open(resolved, OPEN, 0);
    }
    if (fd < 0) {
      throw unopened(root, fd);
    }
    String clean = Paths.clean(root);
    push(fd, clean.equals("/") ? "" : clean);
  }

  private static FileFailure unopened(String path, int error) {
    return switch (-error) {
      case Errno.ENOENT ->
          FileFailure.of(error, "lstat", Links.missingTarget(path)).with("path not found: ");
      case Errno.ELOOP ->
          new FileFailure(
              Kind.LOOP, Errno.ELOOP, "cyclic symlink or chain >255 links at \"" + path + "\"");
      case Errno.ENOTDIR -> noDirectory(path);
      default ->
          Failing.internal(error, "open", path).with("error reading directory " + path + ": ");
    };
  }

  /// The path is something else, or a part of it is.
  private static FileFailure noDirectory(String path) {
    int other = Posix.open(path, Fcntl.O_PATH | Fcntl.O_CLOEXEC, 0);
    if (other < 0) {
      return Failing.internal(other, "lstat", path).with("error resolving symlink: ");
    }
    String resolved = EntryReader.pathOf(other, path);
    Posix.close(other);
    return new FileFailure(Kind.INVALID, Errno.ENOTDIR, "path is not a directory: " + resolved);
  }

  /// Takes over the descriptor.
  private void push(int fd, String path) throws FileFailure {
    NameList names = new NameList();
    int error;
    boolean full = false;
    try (DirectoryReader directory = new DirectoryReader(fd)) {
      while (!full && directory.next()) {
        names.add(directory.nameBytes(), directory.nameLength());
        full = (names.size() & 0xFFFF) == 0 && namesBytes.get() + names.bytes() > NAMES_BYTES;
      }
      error = directory.error();
    }
    names.sort();
    Level level = new Level(fd, path, names);
    full |= namesBytes.addAndGet(level.bytes) > NAMES_BYTES;
    levels.push(level);
    if (full) {
      throw new FileFailure(
          Kind.LIMIT,
          0,
          "error reading directory "
              + shown(path)
              + ": the names that listings hold at once would take more than "
              + (NAMES_BYTES >> 20)
              + " MiB");
    }
    if (error < 0 && (names.size() == 0 && levels.size() == 1)) {
      throw Failing.internal(error, "readdir", shown(path))
          .with("error reading directory " + shown(path) + ": ");
    }
  }

  private static String shown(String path) {
    return path.isEmpty() ? "/" : path;
  }

  /// Hands entries to the sink until it has enough. True when the listing is complete.
  public boolean run(EntrySink sink) throws FileFailure {
    while (true) {
      Level level = levels.peek();
      if (level == null) {
        return true;
      }
      if (level.next == level.names.size()) {
        pop();
        continue;
      }
      Entry entry = next(level, level.names.get(level.next++));
      if (entry != null && !sink.add(entry)) {
        return false;
      }
    }
  }

  private @Nullable Entry next(Level level, String name) throws FileFailure {
    FileStatus status = At.status(level.fd, name, Fcntl.AT_SYMLINK_NOFOLLOW);
    if (!status.exists()) {
      return null; // it has vanished, or the user may see names only
    }
    String path = level.path + "/" + name;
    Entry entry = reader.read(level.fd, name, name, path, status);
    if (status.isDirectory() && levels.size() < depth && path.length() < PATH_MAX) {
      descend(level.fd, name, path);
    }
    return entry;
  }

  private void descend(int dir, String name, String path) throws FileFailure {
    int fd = At.open(dir, name, OPEN | Fcntl.O_NOFOLLOW, 0);
    if (fd >= 0) {
      push(fd, path);
      return;
    }
    if (fd == -Errno.EMFILE || fd == -Errno.ENFILE || fd == -Errno.ENOMEM) {
      // Ours, not the directory's: an answer without it would be wrong.
      throw Failing.internal(fd, "open", path).with("error reading directory " + path + ": ");
    }
  }

  private void pop() {
    Level level = levels.pop();
    Posix.close(level.fd);
    namesBytes.addAndGet(-level.bytes);
  }

  /// Lets go of what is open. May be called twice.
  @Override
  public void close() {
    while (!levels.isEmpty()) {
      pop();
    }
  }
}

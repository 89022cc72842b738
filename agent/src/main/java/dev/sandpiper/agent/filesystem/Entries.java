package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.Paths;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import org.jspecify.annotations.Nullable;

/// Operations on the sandbox's files (E2B contract, sections 4.4 to 4.9). Paths are absolute and not cleaned, as
/// `Accounts.resolve` gives them. Every method that does not say otherwise blocks and belongs on a thread of [FileWork], under
/// the user for whom it is. Messages are those of the contract.
public final class Entries {
  private final Users users;
  private final FileWork work;
  private final Directories directories;

  public Entries(Users users, FileWork work) {
    this.users = users;
    this.work = work;
    this.directories = new Directories(work);
  }

  /// The threads on which all this is to run.
  public FileWork work() {
    return work;
  }

  /// What is known of a path; of a link itself.
  ///
  /// @throws FileFailure `NOT_FOUND`, with the words `file not found: lstat …`
  public Entry stat(String path) throws FileFailure {
    FileStatus status = At.status(Fcntl.AT_FDCWD, path, Fcntl.AT_SYMLINK_NOFOLLOW);
    if (status.error() == -Errno.ENOENT) {
      throw FileFailure.of(status.error(), "lstat", path).with("file not found: ");
    }
    if (!status.exists()) {
      throw Failing.internal(status.error(), "lstat", path).with("error getting file info: ");
    }
    return new EntryReader(users).read(Fcntl.AT_FDCWD, path, baseName(path), path, status);
  }

  /// The same, answered on the calling thread; null where that could make it wait, or where more is to be found out: then
  /// it is [#stat] that tells. Never blocks.
  public @Nullable Entry statCached(String path, User user) {
    int fd = work.openCached(user, path, Fcntl.O_PATH | Fcntl.O_NOFOLLOW | Fcntl.O_CLOEXEC);
    if (fd < 0) {
      return null;
    }
    try {
      FileStatus status = Posix.status(fd);
      return status == null || !(status.isRegular() || status.isDirectory())
          ? null
          : new EntryReader(users).read(fd, baseName(path), path, status);
    } finally {
      Posix.close(fd);
    }
  }

  private static String baseName(String path) {
    String name = Moving.Split.of(path).name();
    return name.isEmpty() ? "/" : name;
  }

  /// Opens a directory to be listed.
  ///
  /// @param depth unsigned; 0 means 1
  /// @throws FileFailure `NOT_FOUND`, `LOOP`, `INVALID` where it is no directory
  public Listing list(String path, int depth) throws FileFailure {
    Listing listing = new Listing(users, path, depth);
    try {
      listing.open();
    } catch (FileFailure failure) {
      listing.close();
      throw failure;
    }
    return listing;
  }

  /// Makes a directory and those above it that are missing, all for the user.
  ///
  /// @throws FileFailure `EXISTS` where it is one already, `INVALID` where it is something else
  public Entry makeDir(String path, User user) throws FileFailure {
    FileStatus there = At.status(Fcntl.AT_FDCWD, path, 0);
    if (there.isDirectory()) {
      throw new FileFailure(Kind.EXISTS, Errno.EEXIST, "directory already exists: " + path);
    }
    if (there.exists()) {
      throw new FileFailure(
          Kind.INVALID, Errno.ENOTDIR, "path already exists but it is not a directory: " + path);
    }
    if (there.error() != -Errno.ENOENT) {
      throw Failing.internal(there.error(), "stat", path).with("error getting file info: ");
    }
    try {
      directories.make(path, user);
    } catch (FileFailure failure) {
      throw Failing.internal(failure.errno(), failure.getMessage())
          .with("failed to create directory: ");
    }
    return stat(path);
  }

  /// Moves a file or a tree, making the directories above the destination, also to another file system. A file at the
  /// destination is replaced; a directory there is an error.
  ///
  /// @throws FileFailure `NOT_FOUND` where there is no source
  public Entry move(String source, String destination, User user) throws FileFailure {
    new Moving(directories).move(source, destination, user);
    return stat(destination);
  }

  /// Removes a file, a link itself, or a directory with all it holds. What is not there counts as removed.
  ///
  /// @throws FileFailure `INVALID` for the root directory
  public void remove(String path) throws FileFailure {
    if (Paths.clean(path).equals("/")) {
      throw FileFailure.invalid("the root directory cannot be removed: " + path);
    }
    Moving.Split split = Moving.Split.of(path);
    if (split.name().equals(".") || split.name().equals("..")) {
      throw FileFailure.invalid(
          "a path that ends in '" + split.name() + "' cannot be removed: " + path);
    }
    int parent = Posix.open(split.parent(), Fcntl.O_PATH | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC, 0);
    if (parent == -Errno.ENOENT) {
      return;
    }
    try {
      if (parent < 0) {
        throw Failing.internal(parent, "unlinkat", path);
      }
      FileStatus named = At.status(parent, split.name(), Fcntl.AT_SYMLINK_NOFOLLOW);
      FileStatus root = Posix.status("/");
      if (root != null && named.exists() && named.isSameFile(root)) {
        throw FileFailure.invalid("the root directory cannot be removed: " + path);
      }
      TreeRemoval.remove(parent, split.name(), path);
    } catch (FileFailure failure) {
      throw failure.kind() == Kind.INVALID
          ? failure
          : failure.with("error removing file or directory: ");
    } finally {
      Posix.close(parent);
    }
  }
}

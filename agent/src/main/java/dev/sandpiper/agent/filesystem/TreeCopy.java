package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.DirectoryReader;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Copies a file or a tree to another file system, as it is: bytes, holes, owners, modes, times, extended attributes,
/// links as links, names of one file as names of one file, FIFOs, sockets and devices.
///
/// The source must not change meanwhile: whatever did is an error, since the source is removed afterwards. What is a
/// mount point in it is an error too, for it could not be removed.
final class TreeCopy {
  /// Files with several names that are remembered; further ones become files of their own.
  private static final int LINKED_FILES = 100_000;

  /// A tree deeper than this cannot be named by one path, and each level takes two descriptors and a stack frame.
  private static final int DEEPEST = 500;

  private static final int OPEN_DIR =
      Fcntl.O_RDONLY | Fcntl.O_DIRECTORY | Fcntl.O_NOFOLLOW | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC;

  private record FileId(long device, long inode) {}

  private final Map<FileId, String> linked = new HashMap<>();
  private final int target;
  private final long device;

  private TreeCopy(int target, long device) {
    this.target = target;
    this.device = device;
  }

  /// Copies `name` of the open directory `from` to `copy`, which does not exist, in the open directory `to`. Where it
  /// fails, part of the copy may be left.
  static void copy(int from, String name, FileStatus source, int to, String copy, String path)
      throws FileFailure {
    new TreeCopy(to, source.device()).entry(from, name, source, to, copy, copy, path, 0);
  }

  /// @param below the copy's path from the target directory
  private void entry(
      int from,
      String name,
      FileStatus source,
      int to,
      String copy,
      String below,
      String path,
      int depth)
      throws FileFailure {
    if (source.device() != device) {
      throw new FileFailure(Kind.BUSY, Errno.EBUSY, path + " is a mount point");
    }
    if (source.isDirectory()) {
      directory(from, name, source, to, copy, below, path, depth);
      return;
    }
    FileId id = new FileId(source.device(), source.inode());
    String first = source.links() > 1 ? linked.get(id) : null;
    if (first != null && At.link(target, first, to, copy) == 0) {
      return;
    }
    if (source.isRegular()) {
      regular(from, name, source, to, copy, path);
    } else if (source.isSymbolicLink()) {
      String leadsTo = At.readlink(from, name);
      check(leadsTo == null ? -Errno.ENOENT : At.symlink(leadsTo, to, copy), "symlink", path);
      nameOnly(source, to, copy, path);
    } else {
      check(At.mknod(to, copy, source.mode(), source.special()), "mknod", path);
      nameOnly(source, to, copy, path);
      check(At.chmod(to, copy, source.permissions()), "chmod", path);
    }
    if (source.links() > 1 && linked.size() < LINKED_FILES) {
      linked.put(id, below);
    }
  }

  /// Owner and times of what is not opened.
  private static void nameOnly(FileStatus source, int to, String copy, String path)
      throws FileFailure {
    int flags = Fcntl.AT_SYMLINK_NOFOLLOW;
    int owned = At.chown(to, copy, source.uid(), source.gid(), flags);
    check(owned == -Errno.EPERM ? 0 : owned, "lchown", path);
    check(At.setTimes(to, copy, source, flags), "utimensat", path);
  }

  private static void regular(
      int from, String name, FileStatus source, int to, String copy, String path)
      throws FileFailure {
    int flags = Fcntl.O_NOFOLLOW | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC;
    int in = At.open(from, name, Fcntl.O_RDONLY | flags, 0);
    check(in, "open", path);
    int out = -1;
    try {
      out = At.open(to, copy, Fcntl.O_RDWR | Fcntl.O_CREAT | Fcntl.O_EXCL | flags, 0600);
      check(out, "create copy of", path);
      FileCopy.bytes(in, out, source.size(), path);
      FileCopy.facts(in, out, source, path);
      unchanged(source, Posix.status(in), path);
    } finally {
      Posix.close(in);
      Posix.close(out);
    }
  }

  private void directory(
      int from,
      String name,
      FileStatus source,
      int to,
      String copy,
      String below,
      String path,
      int depth)
      throws FileFailure {
    if (depth >= DEEPEST) {
      throw Failing.internal(
          Errno.ENAMETOOLONG, path + " lies more than " + DEEPEST + " directories deep");
    }
    int in = At.open(from, name, OPEN_DIR, 0);
    check(in, "open", path);
    int out = -1;
    try {
      check(At.mkdir(to, copy, 0700), "make copy of", path);
      out = At.open(to, copy, OPEN_DIR, 0);
      check(out, "open copy of", path);
      NameList names = new NameList();
      try (DirectoryReader reader = new DirectoryReader(in)) {
        while (reader.next()) {
          names.add(reader.nameBytes(), reader.nameLength());
        }
        check(reader.error(), "readdir", path);
      }
      for (int i = 0; i < names.size(); i++) {
        String each = names.get(i);
        FileStatus status = At.status(in, each, Fcntl.AT_SYMLINK_NOFOLLOW);
        check(status.error(), "lstat", path + "/" + each);
        entry(in, each, status, out, each, below + "/" + each, path + "/" + each, depth + 1);
      }
      FileCopy.facts(in, out, source, path);
      unchanged(source, Posix.status(in), path);
    } finally {
      Posix.close(in);
      Posix.close(out);
    }
  }

  private static void unchanged(FileStatus before, @Nullable FileStatus after, String path)
      throws FileFailure {
    if (after == null
        || !after.isSameFile(before)
        || after.size() != before.size()
        || after.modifiedSecond() != before.modifiedSecond()
        || after.modifiedNano() != before.modifiedNano()) {
      throw new FileFailure(Kind.BUSY, Errno.EBUSY, path + " changed while it was copied");
    }
  }

  private static void check(int result, String operation, String path) throws FileFailure {
    if (result < 0) {
      throw Failing.internal(result, operation, path);
    }
  }
}

package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/// Makes entries of what the kernel says. One per operation: it remembers the names of owners, each of which would cost
/// two stat(2) to look up again. Not thread-safe.
final class EntryReader {
  private static final int PERMISSIONS = 0777;

  private final Users users;
  private final Map<Integer, String> owners = new HashMap<>(4);
  private final Map<Integer, String> groups = new HashMap<>(4);

  EntryReader(Users users) {
    this.users = users;
  }

  /// The entry that has this status, from `lstat`, in an open directory.
  ///
  /// @param dir `AT_FDCWD` with `name` being the path
  /// @param path what the caller is told, which leads to the same file
  Entry read(int dir, String name, String shownName, String path, FileStatus status) {
    Entry.Type type = type(status);
    int mode = status.permissions() & PERMISSIONS;
    Optional<String> target = Optional.empty();
    if (status.isSymbolicLink()) {
      // The kernel follows the link and says where it came to; no own walk can be as right.
      int fd = At.open(dir, name, Fcntl.O_PATH | Fcntl.O_CLOEXEC, 0);
      FileStatus followed = fd < 0 ? null : Posix.status(fd);
      target = Optional.of(followed == null ? path : resolved(fd, followed, path));
      type = followed == null ? Entry.Type.UNSPECIFIED : type(followed);
      mode = followed == null ? 0 : followed.permissions() & PERMISSIONS;
      if (fd >= 0) {
        Posix.close(fd);
      }
    }
    return new Entry(
        shownName,
        type,
        path,
        status.size(),
        mode,
        ModeText.of(status),
        owners.computeIfAbsent(status.uid(), users::userName),
        groups.computeIfAbsent(status.gid(), users::groupName),
        status.modifiedSecond(),
        status.modifiedNano(),
        target,
        Metadata.read(path));
  }

  /// The entry of an open file that is no link; its metadata is read from the file itself.
  Entry read(int fd, String shownName, String path, FileStatus status) {
    return new Entry(
        shownName,
        type(status),
        path,
        status.size(),
        status.permissions() & PERMISSIONS,
        ModeText.of(status),
        users.userName(status.uid()),
        users.groupName(status.gid()),
        status.modifiedSecond(),
        status.modifiedNano(),
        Optional.empty(),
        Metadata.read("/proc/self/fd/" + fd));
  }

  private static Entry.Type type(FileStatus status) {
    return status.isRegular()
        ? Entry.Type.FILE
        : status.isDirectory() ? Entry.Type.DIRECTORY : Entry.Type.UNSPECIFIED;
  }

  /// The absolute path of an open file; `otherwise` where it has none, because it is a pipe, was deleted, or lies outside
  /// of what the agent sees.
  private static String resolved(int fd, FileStatus file, String otherwise) {
    String path = Posix.readlink("/proc/self/fd/" + fd);
    if (path == null || !path.startsWith("/")) {
      return otherwise;
    }
    if (file.links() == 0) {
      return otherwise;
    }
    return path;
  }

  /// The absolute path that an open file has now.
  static String pathOf(int fd, String otherwise) {
    FileStatus file = Posix.status(fd);
    return file == null ? otherwise : resolved(fd, file, otherwise);
  }
}

package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/// Makes the directories above a file, 0755 less the umask, for the user, and takes back what it made if the file does
/// not come.
final class Parents {
  /// What was made, the deepest first.
  private final ArrayDeque<String> made = new ArrayDeque<>();

  /// The directory that a path lies in, as the path spells it.
  static String of(String path) {
    int end = path.length();
    while (end > 1 && path.charAt(end - 1) == '/') {
      end--;
    }
    int slash = path.lastIndexOf('/', end - 1);
    return slash <= 0 ? "/" : path.substring(0, slash);
  }

  /// Makes a directory and those above it that are missing.
  ///
  /// @param owner whose they are to be; null where they are theirs already
  void make(String directory, @Nullable User owner) throws FileFailure {
    ArrayDeque<String> missing = new ArrayDeque<>();
    String path = directory;
    while (!makeOne(path, owner)) {
      missing.push(path);
      path = of(path);
    }
    for (String each : missing) {
      if (!makeOne(each, owner)) {
        throw UploadFailures.parents(Errno.ENOENT, "mkdir", each); // somebody removes what we make
      }
    }
  }

  /// Whether it is there now: false where the one above it is missing.
  private boolean makeOne(String path, @Nullable User owner) throws FileFailure {
    int error = Posix.mkdir(path, 0755);
    if (error == 0) {
      made.push(path);
      if (owner != null) {
        error = Posix.chown(path, owner.uid(), owner.gid());
        if (error < 0) {
          throw UploadFailures.parents(error, "chown", path);
        }
      }
      return true;
    }
    if (error == -Errno.ENOENT && !path.equals("/")) {
      return false;
    }
    if (error != -Errno.EEXIST && error != -Errno.EROFS) {
      throw UploadFailures.parents(error, "mkdir", path);
    }
    FileStatus there = At.status(Fcntl.AT_FDCWD, path, 0);
    if (!there.exists() || !there.isDirectory()) {
      throw UploadFailures.parents(error == -Errno.EROFS ? error : -Errno.ENOTDIR, "mkdir", path);
    }
    return true;
  }

  /// Removes what was made, as far as it is empty.
  void takeBack() {
    for (String path : made) {
      if (Posix.rmdir(path) < 0) {
        return; // something is in it: not only ours any more
      }
    }
  }
}

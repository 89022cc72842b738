package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import org.jspecify.annotations.Nullable;

/// Which file an upload's path means: links at its end are followed, also those that lead to nothing yet.
///
/// @param given the path as it was asked for
/// @param path the same file by a path whose last part is no link
/// @param existing what is there; null where nothing is
/// @param isReplaceable false where the file is known by a link of the kernel's only, which no rename can replace
record UploadTarget(
    User user, String given, String path, @Nullable FileStatus existing, boolean isReplaceable) {
  private static final int MAX_LINKS = 40; // as the kernel follows

  /// Finds it.
  ///
  /// @throws FileFailure `IS_A_DIRECTORY` where the path is one or can only be one
  static UploadTarget find(User user, String given) throws FileFailure {
    String path = given;
    for (int links = 0; links <= MAX_LINKS; links++) {
      if (endsLikeDirectory(path)) {
        throw UploadFailures.isDirectory(given);
      }
      FileStatus status = At.status(Fcntl.AT_FDCWD, path, Fcntl.AT_SYMLINK_NOFOLLOW);
      if (!status.exists()) {
        if (status.error() == -Errno.ENOENT) {
          return found(user, given, path, null);
        }
        throw status.error() == -Errno.ENOTDIR
            ? UploadFailures.parents(status.error(), "stat", path)
            : UploadFailures.opening(status.error(), path);
      }
      if (status.isDirectory()) {
        throw UploadFailures.isDirectory(given);
      }
      if (!status.isSymbolicLink()) {
        return found(user, given, path, status);
      }
      String target = At.readlink(Fcntl.AT_FDCWD, path);
      if (target == null) {
        throw UploadFailures.opening(-Errno.ENOENT, path); // it was one a moment ago
      }
      String directory = Parents.of(path);
      path =
          target.startsWith("/")
              ? target
              : directory.equals("/") ? "/" + target : directory + "/" + target;
    }
    throw UploadFailures.opening(-Errno.ELOOP, given);
  }

  /// The kernel's links in `/proc` lead where their text does not: then the file is what the kernel says, and known by no
  /// other path.
  private static UploadTarget found(
      User user, String given, String path, @Nullable FileStatus status) throws FileFailure {
    if (path.equals(given)) {
      return new UploadTarget(user, given, path, status, true);
    }
    FileStatus kernels = At.status(Fcntl.AT_FDCWD, given, 0);
    if (!kernels.exists()) {
      return new UploadTarget(user, given, path, null, true);
    }
    if (kernels.isDirectory()) {
      throw UploadFailures.isDirectory(given);
    }
    return status != null && status.isSameFile(kernels)
        ? new UploadTarget(user, given, path, status, true)
        : new UploadTarget(user, given, given, kernels, false);
  }

  /// Whether the last part of a path is missing, `.` or `..`.
  private static boolean endsLikeDirectory(String path) {
    return path.endsWith("/") || path.endsWith("/.") || path.endsWith("/..");
  }
}

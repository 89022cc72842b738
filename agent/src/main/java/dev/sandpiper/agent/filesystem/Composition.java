package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Makes one file of several, in their order, as an upload of their contents would, and removes them after it
/// (contract, section 5.8). Files are told apart by device and inode, not by how their paths are spelled.
///
/// On a thread of [FileWork], for as long as it takes to copy.
public final class Composition {
  private static final Logger log = LoggerFactory.getLogger("filesystem");

  private Composition() {}

  /// A file to copy.
  ///
  /// @param given as the caller wrote it, for the words of failures
  /// @param path absolute
  public record Source(String given, String path) {}

  /// Does it.
  ///
  /// @throws FileFailure `NOT_FOUND` for a missing source, `INVALID` for one that is not a regular file or is the
  ///     destination, `IS_A_DIRECTORY` for the destination, or another; then nothing has changed
  public static void compose(Uploads uploads, User user, List<Source> sources, String destination)
      throws FileFailure {
    check(sources, destination);
    Upload upload = uploads.begin(user, destination, Map.of());
    try {
      for (Source source : sources) {
        append(upload, source, destination);
      }
      var _ = upload.finish();
    } finally {
      upload.abandon();
    }
    for (Source source : sources) {
      int error = Posix.unlink(source.path);
      if (error < 0 && error != -Errno.ENOENT) { // a source may be named twice
        log.warn("{} stays after it was composed: {}", source.path, Errno.describe(error));
      }
    }
  }

  private static void check(List<Source> sources, String destination) throws FileFailure {
    FileStatus target = At.status(Fcntl.AT_FDCWD, destination, 0);
    for (Source source : sources) {
      if (source.path.equals(destination)) {
        throw sameAsDestination(source);
      }
      FileStatus status = At.status(Fcntl.AT_FDCWD, source.path, 0);
      requireCopyable(source, status, target);
    }
  }

  private static void requireCopyable(Source source, FileStatus status, FileStatus target)
      throws FileFailure {
    if (status.error() == -Errno.ENOENT || status.error() == -Errno.ENOTDIR) {
      throw new FileFailure(Kind.NOT_FOUND, Errno.ENOENT, "source file not found: " + source.given);
    }
    if (!status.exists()) {
      throw FileFailure.of(status.error(), "stat", source.path);
    }
    if (!status.isRegular()) {
      throw FileFailure.invalid("source path is not a regular file: " + source.given);
    }
    if (target.exists() && target.isSameFile(status)) {
      throw sameAsDestination(source);
    }
  }

  private static FileFailure sameAsDestination(Source source) {
    return FileFailure.invalid(
        "source path \"" + source.given + "\" cannot be the same as destination");
  }

  private static void append(Upload upload, Source source, String destination) throws FileFailure {
    int fd =
        Posix.open(
            source.path, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK | Fcntl.O_NOCTTY, 0);
    if (fd < 0) {
      throw FileFailure.of(fd, "open", source.path).with("error opening source file: ");
    }
    try {
      // Once more, of the file that is really read.
      FileStatus status = Posix.status(fd);
      if (status != null) {
        requireCopyable(source, status, At.status(Fcntl.AT_FDCWD, destination, 0));
      }
      upload.append(fd);
    } finally {
      Posix.close(fd);
    }
  }
}

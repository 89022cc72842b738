package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.Errno;

/// The words of failures while a file is written (contract, sections 5.6 and 5.8).
final class UploadFailures {
  private UploadFailures() {}

  static FileFailure isDirectory(String path) {
    return new FileFailure(Kind.IS_A_DIRECTORY, Errno.EISDIR, "path is a directory: " + path);
  }

  /// A directory above the file could not be made. `error` may have either sign, in all of these.
  static FileFailure parents(int error, String operation, String path) {
    FileFailure failure = FileFailure.of(error, operation, path);
    return failure.kind() == Kind.NO_SPACE
        ? noInodes(failure)
        : failure.with("error ensuring directories: ");
  }

  static FileFailure opening(int error, String path) {
    FileFailure failure = FileFailure.of(error, "open", path);
    return failure.kind() == Kind.NO_SPACE
        ? noInodes(failure)
        : failure.with("error opening file: ");
  }

  private static FileFailure noInodes(FileFailure failure) {
    return new FileFailure(
        Kind.NO_INODES, failure.errno(), "not enough inodes available: " + failure.getMessage());
  }

  static FileFailure writing(int error, String operation, String path) {
    FileFailure failure = FileFailure.of(error, operation, path);
    return failure.kind() == Kind.NO_SPACE
        ? new FileFailure(Kind.NO_SPACE, failure.errno(), "not enough disk space available")
        : failure.with("error writing file: ");
  }

  static FileFailure metadata(FileFailure failure) {
    boolean full =
        failure.kind() == Kind.NO_SPACE
            || failure.errno() == Errno.E2BIG
            || failure.errno() == Errno.ERANGE;
    return full
        ? new FileFailure(
            Kind.NO_SPACE,
            failure.errno(),
            "not enough space for file metadata: " + failure.getMessage())
        : failure.with("error writing metadata: ");
  }
}

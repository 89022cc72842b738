package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.Errno;

/// Failures as the filesystem service's contract has them: what it does not list is an internal error there, whatever
/// the kernel said, except for what callers can do something about.
final class Failing {
  private Failing() {}

  static FileFailure internal(int error, String operation, String path) {
    return new FileFailure(
        kind(error), Math.abs(error), operation + " " + path + ": " + Errno.message(error));
  }

  static FileFailure internal(int error, String message) {
    return new FileFailure(kind(error), Math.abs(error), message);
  }

  private static Kind kind(int error) {
    Kind kind = FileFailure.kind(error);
    return switch (kind) {
      case DENIED, NO_SPACE, CROSS_DEVICE, BUSY -> kind;
      default -> Kind.OTHER;
    };
  }
}

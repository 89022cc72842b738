package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.filesystem.FileFailure;
import org.jspecify.annotations.Nullable;

/// A request to `/files` that is answered with an error: its status and the message of the error body (contract, sections
/// 5.5 to 5.9).
final class Refusal extends Exception {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final String text;

  Refusal(int status, String message) {
    super(
        message, null, false, false); // an answer to a caller, not a defect: nobody reads its stack
    this.status = status;
    this.text = message;
  }

  int status() {
    return status;
  }

  @Override
  public String getMessage() {
    return text;
  }

  private static final int EACCES =
      13; // errno(3): the user may not, whereas root is told EPERM or EROFS

  private static boolean isAboutRights(FileFailure failure) {
    return failure.errno() == EACCES;
  }

  /// The one table of what failures of the file system mean here.
  ///
  /// @param contentLength what a request said that it would bring; null where it did not say
  static Refusal of(FileFailure failure, @Nullable String contentLength) {
    String message = failure.getMessage();
    return switch (failure.kind()) {
      case NOT_FOUND -> new Refusal(404, message);
      case IS_A_DIRECTORY, INVALID -> new Refusal(400, message);
      case DENIED -> new Refusal(isAboutRights(failure) ? 403 : 500, message);
      case NO_INODES -> new Refusal(507, message);
      case NO_SPACE ->
          new Refusal(
              507,
              contentLength == null || !message.startsWith("not enough disk space")
                  ? message
                  : "attempted to write " + contentLength + " bytes: " + message);
      case LIMIT, STOPPING -> new Refusal(503, message);
      case NOT_A_DIRECTORY, EXISTS, LOOP, BUSY, CROSS_DEVICE, OTHER -> new Refusal(500, message);
    };
  }
}

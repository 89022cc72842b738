package dev.sandpiper.agent.filesystem.watch;

/// Why a watch could not begin or did not go on. The message is for the caller and names path or limit.
public final class WatchFailure extends Exception {
  private static final long serialVersionUID = 1L;

  /// What kind of failure, for those who answer with codes.
  public enum Kind {
    /// There is nothing at the path.
    NOT_FOUND,
    /// The request cannot be met as it is.
    INVALID,
    /// No such polling watcher.
    NO_SUCH_WATCHER,
    /// As many polling watchers as may be.
    TOO_MANY_WATCHERS,
    /// Events were lost.
    LOST,
    /// The watch is over because of what happened to the watched directory.
    OVER,
    /// Anything else.
    FAILED
  }

  private final Kind kind;
  private final String text;

  WatchFailure(Kind kind, String message) {
    super(message);
    this.kind = kind;
    text = message;
  }

  public Kind kind() {
    return kind;
  }

  @Override
  public String getMessage() {
    return text;
  }
}

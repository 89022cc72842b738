package dev.sandpiper.agent.logs;

/// Why a query is refused, or ends early. The message is for the caller.
public final class LogFailure extends Exception {
  @java.io.Serial private static final long serialVersionUID = 1L;

  /// What kind of failure.
  public enum Reason {
    /// A field of the query says nothing that can be done; the message names it.
    INVALID,
    /// The cursor is malformed, of the future, or of another process than the query's.
    BAD_CURSOR,
    /// There is no process of this id.
    UNKNOWN_PROCESS,
    /// Too many queries are open, or a regular expression takes too long.
    EXHAUSTED,
    /// The log cannot be read.
    UNREADABLE
  }

  private final Reason reason;

  public LogFailure(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  public Reason reason() {
    return reason;
  }

  /// The message, which is never absent.
  public String text() {
    String message = getMessage();
    return message == null ? reason.name() : message;
  }
}

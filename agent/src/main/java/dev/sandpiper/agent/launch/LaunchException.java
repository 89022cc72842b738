package dev.sandpiper.agent.launch;

/// A child that could not be started. Nothing of it is left: no process, no descriptor, no FIFO.
///
/// The message is for the caller: what was asked, what was found, which limit.
public final class LaunchException extends Exception {
  private static final long serialVersionUID = 1L;

  private final Reason reason;

  /// Why, for code; the message says it for people.
  public enum Reason {
    /// No such command, neither as a path nor on `PATH`.
    COMMAND_NOT_FOUND,
    /// It exists, but this user may not run it, or the kernel cannot.
    COMMAND_NOT_EXECUTABLE,
    /// The working directory is missing, not a directory, or not enterable by the user.
    BAD_CWD,
    /// The agent may not take that user's identity.
    USER_SWITCH_DENIED,
    /// An argument, variable or path that no kernel takes: a NUL inside, or too much of it.
    INVALID,
    /// A limit was reached: processes, descriptors, memory, or the agent's own queue.
    RESOURCES,
    /// Not foreseen.
    INTERNAL
  }

  public LaunchException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  public LaunchException(Reason reason, String message, Throwable cause) {
    super(message, cause);
    this.reason = reason;
  }

  public Reason reason() {
    return reason;
  }
}

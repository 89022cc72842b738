package dev.sandpiper.agent.process;

/// Why a process was not started. The message is for the caller: what was asked and what was found.
public final class StartRefused extends Exception {
  private static final long serialVersionUID = 1L;

  /// Kinds of refusal.
  public enum Reason {
    /// The user does not exist.
    UNKNOWN_USER,
    /// The agent lacks the rights to run as that user.
    USER_DENIED,
    /// The command was not found.
    COMMAND_NOT_FOUND,
    /// The command exists and cannot be executed.
    COMMAND_NOT_EXECUTABLE,
    /// The working directory is missing, no directory, or closed to the user.
    BAD_CWD,
    /// The request itself cannot be carried out (NUL in an argument, a home of somebody else, ...).
    INVALID,
    /// The key belongs to another request.
    KEY_CONFLICT,
    /// The system or the agent is out of processes, descriptors or memory.
    RESOURCES,
    /// The agent is stopping.
    STOPPING,
    /// Anything unexpected.
    INTERNAL
  }

  private final Reason reason;

  /// A refusal.
  public StartRefused(Reason reason, String message) {
    super(message, null, false, false);
    this.reason = reason;
  }

  /// What kind of refusal it is.
  public Reason reason() {
    return reason;
  }
}

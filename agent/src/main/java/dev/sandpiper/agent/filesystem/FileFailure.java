package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.posix.Errno;

/// A file operation that did not happen. The message is for the caller: what was tried, on which path, and what the
/// kernel said, such as `lstat /home/a: permission denied`.
public final class FileFailure extends Exception {
  private static final long serialVersionUID = 1L;

  /// What kind of thing went wrong; callers see codes and statuses made from it.
  public enum Kind {
    NOT_FOUND,
    NOT_A_DIRECTORY,
    IS_A_DIRECTORY,
    EXISTS,
    DENIED,
    /// A cycle of symbolic links, or too many of them.
    LOOP,
    NO_SPACE,
    NO_INODES,
    /// The request itself cannot mean anything that works.
    INVALID,
    BUSY,
    CROSS_DEVICE,
    /// One of the agent's own limits, named by the message.
    LIMIT,
    /// The agent is on its way down.
    STOPPING,
    OTHER
  }

  private final Kind kind;
  private final int errno;
  private final String text;

  /// @param errno positive; zero where no system call failed
  public FileFailure(Kind kind, int errno, String message) {
    super(
        message, null, false, false); // an answer to a caller, not a defect: nobody reads its stack
    this.kind = kind;
    this.errno = errno;
    this.text = message;
  }

  /// A failed system call. `error` may have either sign.
  ///
  /// @param operation the call's name, as in `lstat`
  public static FileFailure of(int error, String operation, String path) {
    return new FileFailure(
        kind(error), Math.abs(error), operation + " " + path + ": " + Errno.message(error));
  }

  /// A request that was refused before any system call.
  public static FileFailure invalid(String message) {
    return new FileFailure(Kind.INVALID, 0, message);
  }

  /// The same failure with words in front of its message.
  public FileFailure with(String before) {
    return new FileFailure(kind, errno, before + text);
  }

  /// What an error number means, of either sign. `ENOSPC` is `NO_SPACE`; whether inodes are what is missing, only the
  /// file system knows.
  public static Kind kind(int error) {
    return switch (Math.abs(error)) {
      case Errno.ENOENT -> Kind.NOT_FOUND;
      case Errno.ENOTDIR -> Kind.NOT_A_DIRECTORY;
      case Errno.EISDIR -> Kind.IS_A_DIRECTORY;
      case Errno.EEXIST, Errno.ENOTEMPTY -> Kind.EXISTS;
      case Errno.EACCES, Errno.EPERM, Errno.EROFS -> Kind.DENIED;
      case Errno.ELOOP -> Kind.LOOP;
      case Errno.ENOSPC, Errno.EDQUOT -> Kind.NO_SPACE;
      case Errno.EBUSY, Errno.ETXTBSY -> Kind.BUSY;
      case Errno.EXDEV -> Kind.CROSS_DEVICE;
      default -> Kind.OTHER;
    };
  }

  public Kind kind() {
    return kind;
  }

  /// Positive, as in errno(3); zero where no system call failed.
  public int errno() {
    return errno;
  }

  @Override
  public String getMessage() {
    return text;
  }
}

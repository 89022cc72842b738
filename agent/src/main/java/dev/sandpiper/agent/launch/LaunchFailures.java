package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.launch.CommandSearch.Problem;
import dev.sandpiper.agent.launch.LaunchException.Reason;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.posix.Tasks.Limit;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/// What a caller reads when a command did not start: what was asked, what was found, which limit.
final class LaunchFailures {
  private LaunchFailures() {}

  static LaunchException of(LaunchSpec spec, Problem problem) {
    String path = problem.path();
    String user = spec.user().name();
    return switch (problem.kind()) {
      case CWD -> cwd(path, user, problem.error());
      case NOT_FOUND -> notFound(spec.cmd(), path);
      case IS_DIRECTORY ->
          new LaunchException(
              Reason.COMMAND_NOT_EXECUTABLE,
              "command '" + spec.cmd() + "' is not executable: " + path + " is a directory");
      case NOT_EXECUTABLE ->
          new LaunchException(
              Reason.COMMAND_NOT_EXECUTABLE,
              "command '%s' is not executable by user '%s': %s: %s"
                  .formatted(spec.cmd(), user, path, Errno.describe(problem.error())));
    };
  }

  private static LaunchException cwd(String cwd, String user, int error) {
    String text =
        switch (-error) {
          case Errno.ENOENT -> "cwd '" + cwd + "' does not exist";
          case Errno.ENOTDIR -> "cwd '" + cwd + "' is not a directory";
          case Errno.EACCES ->
              "cwd '" + cwd + "' cannot be entered by user '" + user + "': permission denied";
          default -> "cwd '" + cwd + "' cannot be entered: " + Errno.describe(error);
        };
    return new LaunchException(Reason.BAD_CWD, text);
  }

  private static LaunchException notFound(String cmd, String looked) {
    String text;
    if (cmd.isEmpty()) {
      text = "no command was given";
    } else if (cmd.indexOf('/') >= 0) {
      text = "command '" + cmd + "' was not found: " + looked + " does not exist";
    } else {
      text = "command '" + cmd + "' was not found on PATH '" + looked + "'";
    }
    return new LaunchException(Reason.COMMAND_NOT_FOUND, text);
  }

  /// A spawn that the kernel refused although the program was there a moment ago.
  static LaunchException spawn(LaunchSpec spec, String program, int error) {
    String command = "command '" + spec.cmd() + "' (" + program + ")";
    return switch (-error) {
      case Errno.ENOENT, Errno.ENOTDIR ->
          new LaunchException(
              Reason.COMMAND_NOT_EXECUTABLE,
              command + " cannot run: its interpreter or loader does not exist");
      case Errno.EACCES, Errno.EPERM, Errno.ETXTBSY, Errno.ELOOP, Errno.ELIBBAD, Errno.EINVAL ->
          new LaunchException(
              Reason.COMMAND_NOT_EXECUTABLE, command + " cannot run: " + Errno.describe(error));
      case Errno.E2BIG ->
          new LaunchException(
              Reason.INVALID,
              command
                  + " cannot run: arguments and environment together are too long for the kernel"
                  + " (E2BIG)");
      case Errno.ENAMETOOLONG ->
          new LaunchException(Reason.INVALID, command + " cannot run: the path is too long");
      case Errno.EAGAIN ->
          new LaunchException(Reason.RESOURCES, command + " cannot start: " + processLimits(spec));
      case Errno.ENOMEM, Errno.EMFILE, Errno.ENFILE ->
          resources("command '" + spec.cmd() + "' cannot start", error);
      default ->
          new LaunchException(Reason.INTERNAL, command + " cannot start: " + Errno.describe(error));
    };
  }

  /// A limit that the agent itself has run into while it prepared a start.
  static LaunchException resources(String what, int error) {
    String limit =
        switch (-error) {
          case Errno.EMFILE ->
              "the agent's limit on open files is reached (RLIMIT_NOFILE "
                  + show(Tasks.limit(0, Tasks.RLIMIT_NOFILE))
                  + ", EMFILE)";
          case Errno.ENFILE ->
              "the system's limit on open files is reached (fs.file-max "
                  + read("/proc/sys/fs/file-max").orElse("unknown")
                  + ", ENFILE)";
          case Errno.ENOMEM -> "the kernel has no memory for it (ENOMEM)";
          case Errno.EAGAIN ->
              "no more terminals or processes are allowed (kernel.pty.max "
                  + read("/proc/sys/kernel/pty/max").orElse("unknown")
                  + ", EAGAIN)";
          case Errno.ENOSPC ->
              "no more terminals are allowed (kernel.pty.max "
                  + read("/proc/sys/kernel/pty/max").orElse("unknown")
                  + ", ENOSPC)";
          default -> Errno.describe(error);
        };
    boolean shortage =
        switch (-error) {
          case Errno.EMFILE, Errno.ENFILE, Errno.ENOMEM, Errno.EAGAIN, Errno.ENOSPC -> true;
          default -> false;
        };
    return new LaunchException(shortage ? Reason.RESOURCES : Reason.INTERNAL, what + ": " + limit);
  }

  static LaunchException noSwitch(LaunchSpec spec, User self) {
    return new LaunchException(
        Reason.USER_SWITCH_DENIED,
        "cannot run as user '%s' (uid %s): the agent runs as '%s' (uid %s), and only root with CAP_SETUID and CAP_SETGID may change the user"
            .formatted(
                spec.user().name(),
                Integer.toUnsignedString(spec.user().uid()),
                self.name(),
                Integer.toUnsignedString(self.uid())));
  }

  static LaunchException switchRefused(LaunchSpec spec, int error) {
    return new LaunchException(
        Reason.USER_SWITCH_DENIED,
        "cannot run as user '%s' (uid %s): the kernel refused the change of identity: %s"
            .formatted(
                spec.user().name(),
                Integer.toUnsignedString(spec.user().uid()),
                Errno.describe(error)));
  }

  private static String processLimits(LaunchSpec spec) {
    return "the kernel refused another process (EAGAIN): user '%s' may have %s (RLIMIT_NPROC), the agent's cgroup %s (pids.max), the system %s (kernel.pid_max)"
        .formatted(
            spec.user().name(),
            show(Tasks.limit(0, Tasks.RLIMIT_NPROC)),
            cgroupLimit().orElse("unknown"),
            read("/proc/sys/kernel/pid_max").orElse("unknown"));
  }

  private static Optional<String> cgroupLimit() {
    return read("/proc/self/cgroup")
        .flatMap(text -> text.lines().filter(line -> line.startsWith("0::")).findFirst())
        .flatMap(line -> read("/sys/fs/cgroup" + line.substring(3) + "/pids.max"));
  }

  private static String show(@org.jspecify.annotations.Nullable Limit limit) {
    if (limit == null) {
      return "unknown";
    }
    return limit.soft() == Tasks.RLIM_INFINITY ? "unlimited" : Long.toUnsignedString(limit.soft());
  }

  private static Optional<String> read(String file) {
    // One read, as files of /proc/sys answer only the first.
    try (InputStream in = Files.newInputStream(Path.of(file))) {
      byte[] text = new byte[4096];
      int length = Math.max(0, in.read(text));
      return Optional.of(new String(text, 0, length, StandardCharsets.UTF_8).strip());
    } catch (IOException unreadable) {
      return Optional.empty(); // only the wording of a message depends on it
    }
  }
}

package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Finds the program of a command with the rights of the calling thread, as execvp(3) would, but says what it found.
///
/// Throws nothing: it runs while a thread has another user's identity, and answers are turned into exceptions later.
final class CommandSearch {
  /// What execvp(3) searches without a `PATH`.
  private static final String DEFAULT_PATH = "/bin:/usr/bin";

  private CommandSearch() {}

  /// Exactly one of the two is set.
  ///
  /// @param program an absolute path that this user may execute
  record Result(@Nullable String program, @Nullable Problem problem) {
    private static Result of(String program) {
      return new Result(program, null);
    }

    private static Result of(Kind kind, String path, int error) {
      return new Result(null, new Problem(kind, path, error));
    }
  }

  enum Kind {
    CWD,
    NOT_FOUND,
    IS_DIRECTORY,
    NOT_EXECUTABLE
  }

  /// @param path what was looked at; the search path for `NOT_FOUND` of a bare name
  /// @param error `-errno`, or 0
  record Problem(Kind kind, String path, int error) {}

  static Result find(LaunchSpec spec) {
    int entered = enter(spec.cwd());
    if (entered < 0) {
      return Result.of(Kind.CWD, spec.cwd(), entered);
    }
    String cmd = spec.cmd();
    return cmd.indexOf('/') >= 0
        ? check(absolute(cmd, spec.cwd()))
        : search(cmd, spec.environment(), spec.cwd());
  }

  /// Zero when the caller may make this its working directory: looking up `.` in it takes the same right.
  static int enter(String cwd) {
    return Posix.access(cwd + "/.", Fcntl.F_OK);
  }

  private static Result search(String cmd, Map<String, String> environment, String cwd) {
    String path = environment.getOrDefault("PATH", DEFAULT_PATH);
    Result refused = null;
    if (!cmd.isEmpty()) {
      int start = 0;
      while (start <= path.length()) {
        int colon = path.indexOf(':', start);
        int end = colon < 0 ? path.length() : colon;
        String directory = start == end ? "." : path.substring(start, end);
        String candidate = absolute(directory + '/' + cmd, cwd);
        Result one = check(candidate);
        if (one.program != null) {
          return one;
        }
        if (refused == null && isThere(candidate, one)) {
          refused = one; // a later directory may still have one that runs
        }
        start = end + 1;
      }
    }
    return refused != null ? refused : Result.of(Kind.NOT_FOUND, path, 0);
  }

  /// A directory of the search path that the user may not look into is as good as an empty one.
  private static boolean isThere(String candidate, Result checked) {
    return checked.problem != null
        && checked.problem.kind != Kind.NOT_FOUND
        && Posix.statusError(candidate) == 0;
  }

  private static String absolute(String path, String cwd) {
    return path.startsWith("/") ? path : cwd + '/' + path;
  }

  private static Result check(String path) {
    int error = Posix.access(path, Fcntl.X_OK);
    if (error == -Errno.ENOENT || error == -Errno.ENOTDIR) {
      return Result.of(Kind.NOT_FOUND, path, error);
    }
    if (error < 0) {
      return Result.of(Kind.NOT_EXECUTABLE, path, error);
    }
    FileStatus status = Posix.status(path);
    if (status != null && status.isDirectory()) {
      return Result.of(Kind.IS_DIRECTORY, path, -Errno.EISDIR);
    }
    return Result.of(path);
  }
}

package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.Paths;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/// Follows symbolic links by hand, where the kernel stops: it takes 40 of them, E2B's daemon 255.
final class Links {
  private static final int MOST_LINKS = 255;

  private Links() {}

  /// The path without links; null where there are too many of them or a part cannot be read.
  static @Nullable String resolve(String path) {
    Walk walk = new Walk(path);
    return walk.run() ? walk.done.isEmpty() ? "/" : walk.done.toString() : null;
  }

  /// Where a path that does not exist leads: the path itself, or what a link on the way names.
  static String missingTarget(String path) {
    Walk walk = new Walk(path);
    return walk.run() || walk.links == 0 ? path : walk.done.toString();
  }

  private static final class Walk {
    final StringBuilder done = new StringBuilder();
    final Deque<String> left = new ArrayDeque<>();
    int links;

    Walk(String path) {
      prepend(path);
    }

    private void prepend(String path) {
      String[] parts = path.split("/", -1);
      for (int i = parts.length - 1; i >= 0; i--) {
        if (!parts[i].isEmpty() && !parts[i].equals(".")) {
          left.push(parts[i]);
        }
      }
    }

    /// False where it ended early; then `done` is as far as it came.
    boolean run() {
      while (!left.isEmpty()) {
        String part = left.pop();
        if (part.equals("..")) {
          done.setLength(Math.max(0, done.lastIndexOf("/")));
          continue;
        }
        int before = done.length();
        done.append('/').append(part);
        String here = done.toString();
        FileStatus status = At.status(Fcntl.AT_FDCWD, here, Fcntl.AT_SYMLINK_NOFOLLOW);
        if (!status.exists()) {
          left.forEach(rest -> done.append('/').append(rest));
          String clean = Paths.clean(done.toString());
          done.setLength(0);
          done.append(clean);
          return false;
        }
        if (status.isSymbolicLink()) {
          String target = At.readlink(Fcntl.AT_FDCWD, here);
          if (target == null || ++links > MOST_LINKS) {
            return false;
          }
          done.setLength(target.startsWith("/") ? 0 : before);
          prepend(target);
        }
      }
      return true;
    }
  }
}

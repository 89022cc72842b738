package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.posix.Errno;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Says which limit of the kernel an error means, and how high it is now (inotify(7)).
final class KernelLimits {
  private KernelLimits() {}

  static String describe(int error) {
    return switch (Math.abs(error)) {
      case Errno.ENOSPC ->
          "as many directories are watched as the kernel allows, "
              + value("max_user_watches")
              + " for each user";
      case Errno.EMFILE ->
          "too many watches or open files: the kernel allows "
              + value("max_user_instances")
              + " watches for each user, and the agent's own limit on open files counts too";
      default -> Errno.describe(error);
    };
  }

  /// Name and value, such as `fs.inotify.max_queued_events = 16384`.
  static String value(String name) {
    String shown = "fs.inotify." + name;
    // In one go: such a file gives its text to the first read only, and Files.readString begins
    // with one byte.
    try (InputStream file = Files.newInputStream(Path.of("/proc/sys/fs/inotify", name))) {
      byte[] digits = new byte[32];
      int length = file.read(digits);
      return length <= 0
          ? shown
          : shown + " = " + new String(digits, 0, length, StandardCharsets.US_ASCII).strip();
    } catch (IOException unreadable) {
      return shown;
    }
  }
}

package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/// Reads `/proc/PID/stat` (proc_pid_stat(5)).
final class ProcStat {
  private static final int MOST_BYTES =
      2048; // 52 numbers of at most 20 digits, and a name of 16 bytes

  private static final ThreadLocal<ByteBuffer> TEXT =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(MOST_BYTES));

  private static final class Boot {
    static final String ID = read();

    private static String read() {
      try {
        return Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
      } catch (IOException unreadable) {
        return ""; // then no process is ever taken over by its identity
      }
    }
  }

  private ProcStat() {}

  /// Identity of a process that is not reaped, so that the pid means this one; start time 0 where it cannot be read.
  static ProcessIdentity identity(int pid) {
    return new ProcessIdentity(pid, startTicks(pid), Boot.ID);
  }

  static long startTicks(int pid) {
    int fd = Posix.open("/proc/" + pid + "/stat", Fcntl.O_RDONLY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return 0;
    }
    ByteBuffer text = TEXT.get().clear();
    long length = Posix.read(fd, text);
    Posix.close(fd);
    return length <= 0 ? 0 : field22(text.flip());
  }

  /// The name in field 2 may hold anything, parentheses and spaces too: fields count from the last parenthesis.
  static long field22(ByteBuffer text) {
    int at = text.limit() - 1;
    while (at >= 0 && text.get(at) != ')') {
      at--;
    }
    int spaces = 22 - 2;
    while (at >= 0 && at < text.limit() && spaces > 0) {
      at++;
      if (at < text.limit() && text.get(at) == ' ') {
        spaces--;
      }
    }
    long value = 0;
    for (at++; at > 0 && at < text.limit(); at++) {
      int digit = text.get(at) - '0';
      if (digit < 0 || digit > 9) {
        break;
      }
      value = value * 10 + digit;
    }
    return value;
  }
}

package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

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

  /// A process's line, as far as it is used.
  ///
  /// @param state `Z` for one that has exited and waits to be collected
  /// @param exitStatus as wait(2) has it; 0 also where the kernel does not want to tell
  record Stat(char state, int parent, long startTicks, int exitStatus) {}

  /// Identity of a process that is not reaped, so that the pid means this one; start time 0 where it cannot be read.
  static ProcessIdentity identity(int pid) {
    return new ProcessIdentity(pid, startTicks(pid), Boot.ID);
  }

  static String bootId() {
    return Boot.ID;
  }

  static long startTicks(int pid) {
    ByteBuffer text = text(pid);
    return text == null ? 0 : field22(text);
  }

  /// Null where there is no such process, or it cannot be read.
  static @Nullable Stat read(int pid) {
    ByteBuffer text = text(pid);
    if (text == null) {
      return null;
    }
    int state = begin(text, 3);
    return new Stat(
        state < text.limit() ? (char) text.get(state) : '?',
        (int) field(text, 4),
        field(text, 22),
        (int) field(text, 52));
  }

  private static @Nullable ByteBuffer text(int pid) {
    int fd = Posix.open("/proc/" + pid + "/stat", Fcntl.O_RDONLY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return null;
    }
    ByteBuffer text = TEXT.get().clear();
    long length = Posix.read(fd, text);
    Posix.close(fd);
    return length <= 0 ? null : text.flip();
  }

  static long field22(ByteBuffer text) {
    return field(text, 22);
  }

  /// Where a field begins, from the third on. The name in field 2 may hold anything, parentheses and spaces too: fields count
  /// from the last parenthesis.
  private static int begin(ByteBuffer text, int number) {
    int at = text.limit() - 1;
    while (at >= 0 && text.get(at) != ')') {
      at--;
    }
    if (at < 0) {
      return text.limit();
    }
    int spaces = number - 2;
    while (at < text.limit() && spaces > 0) {
      at++;
      if (at < text.limit() && text.get(at) == ' ') {
        spaces--;
      }
    }
    return at + 1;
  }

  private static long field(ByteBuffer text, int number) {
    long value = 0;
    for (int at = begin(text, number); at < text.limit(); at++) {
      int digit = text.get(at) - '0';
      if (digit < 0 || digit > 9) {
        break;
      }
      value = value * 10 + digit;
    }
    return value;
  }
}

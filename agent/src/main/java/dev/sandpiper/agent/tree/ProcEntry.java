package dev.sandpiper.agent.tree;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// One line of `/proc/PID/stat` (proc_pid_stat(5)).
///
/// @param state `R`, `S`, `D`, `T`, `t`, `Z`, `X`, …
record ProcEntry(
    int pid,
    String name,
    char state,
    int parent,
    int group,
    int session,
    long flags,
    int threads,
    long startTicks) {
  private static final long KERNEL_THREAD = 0x00200000; // PF_KTHREAD

  private static final int STATE = 3;
  private static final int PARENT = 4;
  private static final int GROUP = 5;
  private static final int SESSION = 6;
  private static final int FLAGS = 9;
  private static final int THREADS = 20;
  private static final int START = 22;

  /// Null where the text is not such a line. The name may hold anything, parentheses and spaces too: fields count from
  /// the last parenthesis.
  static @Nullable ProcEntry parse(ByteBuffer text) {
    byte[] bytes = new byte[text.remaining()];
    text.get(bytes);
    int open = 0;
    while (open < bytes.length && bytes[open] != '(') {
      open++;
    }
    int close = bytes.length - 1;
    while (close > open && bytes[close] != ')') {
      close--;
    }
    if (close <= open) {
      return null;
    }
    String[] fields =
        new String(bytes, close + 1, bytes.length - close - 1, StandardCharsets.US_ASCII)
            .strip()
            .split(" ", -1);
    if (fields.length <= START - STATE) {
      return null;
    }
    try {
      return new ProcEntry(
          Integer.parseInt(new String(bytes, 0, open, StandardCharsets.US_ASCII).strip()),
          new String(bytes, open + 1, close - open - 1, StandardCharsets.UTF_8),
          fields[0].charAt(0),
          Integer.parseInt(fields[PARENT - STATE]),
          Integer.parseInt(fields[GROUP - STATE]),
          Integer.parseInt(fields[SESSION - STATE]),
          Long.parseLong(fields[FLAGS - STATE]),
          Integer.parseInt(fields[THREADS - STATE]),
          Long.parseLong(fields[START - STATE]));
    } catch (NumberFormatException notALine) {
      return null;
    }
  }

  boolean kernelThread() {
    return (flags & KERNEL_THREAD) != 0;
  }

  /// Whether it still runs anything. A main thread that has ended leaves a zombie in front of threads that go on.
  boolean alive() {
    return switch (state) {
      case 'Z' -> threads > 1;
      case 'X', 'x' -> false;
      default -> true;
    };
  }

  TreeMember member() {
    return new TreeMember(pid, startTicks, name);
  }
}

package dev.sandpiper.agent.tree;

import dev.sandpiper.agent.posix.DirectoryReader;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Reads `/proc`. One per look or pursuit, for one thread; keeps its buffers.
final class ProcFiles {
  private static final int STAT_BYTES = 2048; // 52 numbers of at most 20 digits, and a name
  private static final int ENVIRON_BYTES = 64 * 1024; // at a time

  /// Linux allows a third of the stack, 2 MiB by default and 6 at most, for arguments and environment together.
  private static final int MOST_ENVIRON_BYTES = 8 << 20;

  /// Some 10,000 processes on a quiet machine.
  private static final long SLOW_NANOS = 100_000_000;

  private static final byte[] NAME = (TreeRoot.VARIABLE + '=').getBytes(StandardCharsets.US_ASCII);

  private final ByteBuffer stat = ByteBuffer.allocateDirect(STAT_BYTES);
  private final ByteBuffer environ = ByteBuffer.allocateDirect(ENVIRON_BYTES);
  private final List<Integer> missed = new ArrayList<>();
  private int error;

  /// The value of {@link TreeRoot#VARIABLE}.
  ///
  /// @param value null where it is not set
  /// @param error why the environment could not be read: `-errno`, or 0
  record Mark(@Nullable String value, int error) {
    private static final Mark NONE = new Mark(null, 0);

    boolean is(String processId) {
      return processId.equals(value);
    }
  }

  /// Every process that can be seen, by pid; {@link #error} tells whether that went well.
  NavigableMap<Integer, ProcEntry> all() {
    return all(() -> {});
  }

  /// The same. When it takes long, because a tree forks without end and takes the processors too, `slow` is called once, in
  /// the middle of it.
  NavigableMap<Integer, ProcEntry> all(Runnable slow) {
    long patience = System.nanoTime() + SLOW_NANOS;
    boolean told = false;
    NavigableMap<Integer, ProcEntry> all = new TreeMap<>();
    missed.clear();
    int fd = Posix.open("/proc", Fcntl.O_RDONLY | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      error = fd;
      return all;
    }
    try (DirectoryReader names = new DirectoryReader(fd)) {
      while (names.next()) {
        if (!told && System.nanoTime() - patience > 0) {
          told = true;
          slow.run();
        }
        int pid = number(names.nameBytes(), names.nameLength());
        ProcEntry entry = pid > 0 ? entry(pid) : null;
        if (entry != null) {
          all.put(pid, entry);
        } else if (pid > 0) {
          missed.add(pid);
        }
      }
      error = names.error();
    } finally {
      Posix.close(fd);
    }
    return all;
  }

  /// Who was named in the last {@link #all} and had ended before it was looked at. What such a process has started
  /// meanwhile may be missing too: names come in batches, and the new one's may have been behind already.
  List<Integer> missed() {
    return missed;
  }

  /// What the last {@link #all} ran into: `-errno`, or 0.
  int error() {
    return error;
  }

  private static int number(byte[] name, int length) {
    int number = 0;
    for (int i = 0; i < length; i++) {
      int digit = name[i] - '0';
      if (digit < 0 || digit > 9 || number > 100_000_000) {
        return -1;
      }
      number = number * 10 + digit;
    }
    return number;
  }

  /// Null where there is no such process (any more).
  @Nullable ProcEntry entry(int pid) {
    int length = read("/proc/" + pid + "/stat", stat);
    return length <= 0 ? null : ProcEntry.parse(stat.flip());
  }

  /// The mark in a process's environment, as it was when its program started.
  Mark mark(int pid) {
    int fd = Posix.open("/proc/" + pid + "/environ", Fcntl.O_RDONLY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return new Mark(null, fd);
    }
    try {
      byte[] kept = new byte[0]; // the beginning of a variable that the read before cut off
      int total = 0;
      while (total < MOST_ENVIRON_BYTES) {
        environ.clear();
        long length = Posix.read(fd, environ);
        if (length < 0) {
          return new Mark(null, (int) length);
        }
        byte[] bytes = Arrays.copyOf(kept, kept.length + (int) length);
        environ.flip().get(bytes, kept.length, (int) length);
        int start = 0;
        for (int at = kept.length; at < bytes.length; at++) {
          if (bytes[at] == 0) {
            if (isMark(bytes, start, at)) {
              return value(bytes, start, at);
            }
            start = at + 1;
          }
        }
        if (length == 0) {
          return isMark(bytes, start, bytes.length) ? value(bytes, start, bytes.length) : Mark.NONE;
        }
        kept = Arrays.copyOfRange(bytes, start, bytes.length);
        total += (int) length;
      }
      return Mark.NONE;
    } finally {
      Posix.close(fd);
    }
  }

  private static boolean isMark(byte[] bytes, int start, int end) {
    return end - start >= NAME.length
        && Arrays.equals(bytes, start, start + NAME.length, NAME, 0, NAME.length);
  }

  private static Mark value(byte[] bytes, int start, int end) {
    int from = start + NAME.length;
    return new Mark(new String(bytes, from, end - from, StandardCharsets.UTF_8), 0);
  }

  /// `/proc/PID/cgroup`; empty where it cannot be read.
  String controlGroups(String pid) {
    int length = read("/proc/" + pid + "/cgroup", environ);
    return length <= 0 ? "" : StandardCharsets.UTF_8.decode(environ.flip()).toString();
  }

  /// Whether a process has one of these open. False also where that cannot be read.
  boolean holds(int pid, List<String> paths) {
    String directory = "/proc/" + pid + "/fd";
    int fd = Posix.open(directory, Fcntl.O_RDONLY | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return false;
    }
    List<String> numbers = new ArrayList<>();
    try (DirectoryReader names = new DirectoryReader(fd)) {
      while (names.next()) {
        numbers.add(names.name());
      }
    } finally {
      Posix.close(fd);
    }
    for (String number : numbers) {
      String target = Posix.readlink(directory + "/" + number);
      if (target != null && (paths.contains(target) || isDeleted(target, paths))) {
        return true;
      }
    }
    return false;
  }

  private static boolean isDeleted(String target, List<String> paths) {
    String suffix = " (deleted)";
    return target.endsWith(suffix)
        && paths.contains(target.substring(0, target.length() - suffix.length()));
  }

  private static int read(String path, ByteBuffer buffer) {
    int fd = Posix.open(path, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return fd;
    }
    int length = (int) Posix.read(fd, buffer.clear());
    Posix.close(fd);
    return length;
  }

  /// In words, for what could not be read.
  static String describe(int error) {
    return Errno.describe(error);
  }
}

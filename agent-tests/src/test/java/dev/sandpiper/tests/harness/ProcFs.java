package dev.sandpiper.tests.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/// The kernel's view of a process, from `/proc` (proc(5)).
public final class ProcFs {
  private ProcFs() {}

  /// Open descriptors and what they lead to.
  public static Map<Integer, String> descriptors(long pid) {
    Map<Integer, String> found = new TreeMap<>();
    try (Stream<Path> links = Files.list(of(pid, "fd"))) {
      for (Path link : links.toList()) {
        try {
          found.put(
              Integer.valueOf(link.getFileName().toString()),
              Files.readSymbolicLink(link).toString());
        } catch (IOException e) {
          // Closed since the directory was read.
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return found;
  }

  public static int threads(long pid) {
    return Integer.parseInt(status(pid, "Threads"));
  }

  /// Resident memory in bytes.
  public static long residentBytes(long pid) {
    return 1024 * Long.parseLong(status(pid, "VmRSS").replace(" kB", ""));
  }

  /// The highest resident memory since the last [#resetPeak], in bytes.
  public static long peakResidentBytes(long pid) {
    return 1024 * Long.parseLong(status(pid, "VmHWM").replace(" kB", ""));
  }

  public static void resetPeak(long pid) {
    try {
      Files.writeString(of(pid, "clear_refs"), "5");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Bytes that a process has written to anything; -1 when there is no such process.
  public static long written(long pid) {
    String io;
    try {
      io = Files.readString(of(pid, "io"), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return -1;
    }
    return io.lines()
        .filter(line -> line.startsWith("wchar: "))
        .mapToLong(line -> Long.parseLong(line.substring(7)))
        .findFirst()
        .orElse(-1);
  }

  /// A line of `/proc/PID/status` by its name.
  public static String status(long pid, String name) {
    return read(pid, "status")
        .lines()
        .filter(line -> line.startsWith(name + ":"))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no " + name + " for process " + pid))
        .substring(name.length() + 1)
        .strip();
  }

  /// Whether a process of that pid exists and is no zombie.
  public static boolean runs(long pid) {
    String state = state(pid);
    return !state.isEmpty() && !state.equals("Z") && !state.equals("X");
  }

  /// Whether that pid is taken, be it by a zombie: what `kill -0` asks.
  public static boolean exists(long pid) {
    return !state(pid).isEmpty();
  }

  /// The state letter; empty when there is no such process.
  public static String state(long pid) {
    try {
      return stat(Files.readString(of(pid, "stat"), StandardCharsets.ISO_8859_1))[0];
    } catch (IOException e) {
      return "";
    }
  }

  /// Fields of `/proc/PID/stat` after the name: 0 is the state, 1 the parent, 2 the group, 3 the session, 5 the
  /// foreground group of the terminal.
  private static String[] stat(String line) {
    return line.substring(line.lastIndexOf(')') + 2).split(" ", -1);
  }

  public static long group(long pid) {
    return Long.parseLong(stat(read(pid, "stat"))[2]);
  }

  public static long session(long pid) {
    return Long.parseLong(stat(read(pid, "stat"))[3]);
  }

  /// The group in the foreground of the terminal that the process has.
  public static long foregroundGroup(long pid) {
    return Long.parseLong(stat(read(pid, "stat"))[5]);
  }

  public static List<Long> childrenOf(long parent) {
    return all().stream()
        .filter(pid -> {
          try {
            String line = Files.readString(of(pid, "stat"), StandardCharsets.ISO_8859_1);
            return Long.parseLong(stat(line)[1]) == parent;
          } catch (IOException e) {
            return false;
          }
        })
        .toList();
  }

  public static List<Long> zombiesOf(long parent) {
    return childrenOf(parent).stream().filter(pid -> state(pid).equals("Z")).toList();
  }

  /// Processes whose environment, as it was at exec, contains the text.
  public static List<Long> withEnvironmentContaining(String text) {
    return all().stream()
        .filter(pid -> {
          try {
            return Files.readString(of(pid, "environ"), StandardCharsets.ISO_8859_1).contains(text);
          } catch (IOException e) {
            return false;
          }
        })
        .toList();
  }

  public static String read(long pid, String file) {
    try {
      return Files.readString(of(pid, file), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Long> all() {
    List<Long> pids = new ArrayList<>();
    try (Stream<Path> entries = Files.list(Path.of("/proc"))) {
      entries
          .map(entry -> entry.getFileName().toString())
          .filter(name -> name.chars().allMatch(c -> c >= '0' && c <= '9'))
          .forEach(name -> pids.add(Long.valueOf(name)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return pids;
  }

  private static Path of(long pid, String file) {
    return Path.of("/proc", Long.toString(pid), file);
  }
}

package dev.sandpiper.agent.tree;

import dev.sandpiper.agent.posix.DirectoryReader;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// A control group of version 2 that belongs to one process tree. What is in it cannot leave it without rights on the
/// groups above, whatever it does to its session, its parent or its environment.
final class ControlGroup {
  /// Of pids in text; a tree of 100,000 processes takes 700 KB.
  private static final int READ_BYTES = 16 * 1024;

  private static final int DEEPEST = 32; // groups below groups, made by whoever is in there

  private final String directory;

  ControlGroup(String directory) {
    this.directory = directory;
  }

  /// Everybody in it and in the groups below it.
  List<Integer> pids() {
    List<Integer> pids = new ArrayList<>();
    collect(directory, 0, pids);
    return pids;
  }

  private static void collect(String path, int depth, List<Integer> pids) {
    numbers(path + "/cgroup.procs", pids);
    if (depth < DEEPEST) {
      for (String below : below(path)) {
        collect(path + "/" + below, depth + 1, pids);
      }
    }
  }

  private static void numbers(String file, List<Integer> numbers) {
    int fd = Posix.open(file, Fcntl.O_RDONLY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return; // the group is gone, and nobody was in it then
    }
    ByteBuffer buffer = ByteBuffer.allocateDirect(READ_BYTES);
    int number = 0;
    while (Posix.read(fd, buffer.clear()) > 0) {
      buffer.flip();
      while (buffer.hasRemaining()) {
        byte digit = buffer.get();
        if (digit == '\n') {
          numbers.add(number);
          number = 0;
        } else {
          number = number * 10 + digit - '0';
        }
      }
    }
    Posix.close(fd);
  }

  static List<String> below(String path) {
    List<String> below = new ArrayList<>();
    int fd = Posix.open(path, Fcntl.O_RDONLY | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return below;
    }
    try (DirectoryReader names = new DirectoryReader(fd)) {
      while (names.next()) {
        if (names.type() == DirectoryReader.DIRECTORY) {
          below.add(names.name());
        }
      }
    } finally {
      Posix.close(fd);
    }
    return below;
  }

  /// SIGKILL to everybody in it at one moment, so that nobody can fork meanwhile (Linux 5.14). False where the kernel
  /// cannot.
  boolean kill() {
    return write("cgroup.kill", "1") >= 0;
  }

  /// Moves a process into it: 0 or `-errno`.
  int add(int pid) {
    return Math.min(0, write("cgroup.procs", Integer.toString(pid)));
  }

  private int write(String file, String text) {
    int fd = Posix.open(directory + "/" + file, Fcntl.O_WRONLY | Fcntl.O_CLOEXEC, 0);
    if (fd < 0) {
      return fd;
    }
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    int written = (int) Posix.write(fd, ByteBuffer.allocateDirect(bytes.length).put(bytes).flip());
    Posix.close(fd);
    return written;
  }

  /// Removes it and the empty groups below it: 0, or `-errno`, `-EBUSY` while anybody is in one.
  int remove() {
    return remove(directory, 0);
  }

  private static int remove(String path, int depth) {
    int result = Posix.rmdir(path);
    if (result == 0 || depth >= DEEPEST) {
      return result;
    }
    for (String below : below(path)) {
      remove(path + "/" + below, depth + 1);
    }
    return Posix.rmdir(path);
  }
}

package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Another program in the place of this one: same process, same children, and those descriptors that are not
/// close-on-exec.
public final class Exec {
  private static final int SIG_SETMASK = 2;
  private static final long SIGNAL_SET_BYTES = 8; // the kernel's, not glibc's
  private static final int CLOSE_RANGE_CLOEXEC = 4;
  private static final long SIG_IGN = 1;
  private static final long POINTER = 8;

  private Exec() {}

  /// memfd_create(2): a file without a name, close-on-exec.
  public static int memfd(String name) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(name);
    return Scratch.isError(address)
        ? (int) address
        : (int) Kernel.syscall(scratch, Abi.MEMFD_CREATE, address, 1 /* MFD_CLOEXEC */, 0);
  }

  /// dup3(2) without flags: `target` becomes `fd`, and stays open in the next program.
  public static int dupTo(int fd, int target) {
    return (int) Kernel.syscall(Abi.DUP3, fd, target, 0);
  }

  /// Marks every descriptor from `first` on close-on-exec (close_range(2), Linux 5.11): 0 or `-errno`.
  public static int closeOnExecFrom(int first) {
    return (int) Kernel.syscall(Abi.CLOSE_RANGE, first, 0xFFFFFFFFL, CLOSE_RANGE_CLOEXEC);
  }

  /// Whether a descriptor is closed when another program is executed.
  public static int setCloseOnExec(int fd, boolean close) {
    return Posix.fcntl(fd, Fcntl.F_SETFD, close ? Fcntl.FD_CLOEXEC : 0);
  }

  /// Has a signal ignored, also by the next program until it decides otherwise.
  public static void ignore(int signal) {
    Kernel.function("signal")
        .ifPresent(
            function -> Kernel.function(function, Scratch.mine(), signal, SIG_IGN, 0, 0, 0, 0));
  }

  /// execve(2) with no signal blocked. Returns only when it fails, with `-errno`; then the calling thread blocks the signals
  /// that it did before. When it does not fail, all other threads end where they are, and nothing is run at exit.
  ///
  /// @param path of the program; a script will do
  /// @param arguments with the program's name first, none with a NUL
  /// @param environment as `NAME=value`
  public static int execute(String path, List<byte[]> arguments, List<byte[]> environment) {
    try (Arena arena = Arena.ofConfined()) {
      Scratch scratch = Scratch.mine();
      long program = scratch.path(path);
      if (Scratch.isError(program)) {
        return (int) program;
      }
      long argv = vector(arena, arguments);
      long envp = vector(arena, environment);
      MemorySegment none = arena.allocate(SIGNAL_SET_BYTES, 8);
      MemorySegment before = arena.allocate(SIGNAL_SET_BYTES, 8);
      mask(none, before);
      int error = (int) Kernel.syscall(scratch, Abi.EXECVE, program, argv, envp);
      mask(before, none);
      return error;
    }
  }

  private static void mask(MemorySegment wanted, MemorySegment before) {
    Kernel.syscall(
        Abi.RT_SIGPROCMASK, SIG_SETMASK, wanted.address(), before.address(), SIGNAL_SET_BYTES);
  }

  private static long vector(Arena arena, List<byte[]> strings) {
    MemorySegment vector = arena.allocate((strings.size() + 1) * POINTER, POINTER);
    for (int i = 0; i < strings.size(); i++) {
      byte[] string = strings.get(i);
      MemorySegment text = arena.allocate(string.length + 1L);
      MemorySegment.copy(string, 0, text, JAVA_BYTE, 0, string.length);
      vector.setAtIndex(JAVA_LONG, i, text.address());
    }
    return vector.address();
  }
}

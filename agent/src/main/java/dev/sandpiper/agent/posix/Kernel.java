package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/// The one downcall: seven 64-bit integers in, one out, `errno` captured.
///
/// Passing an `int` in a 64-bit register is what both the x86-64 and the aarch64 ABI do anyway, and glibc's `syscall` is
/// assembly that never looks at a variadic register count.
final class Kernel {
  private static final Linker LINKER = Linker.nativeLinker();

  /// `(function, errno capture, 7 × long) → long`.
  private static final MethodHandle CALL =
      LINKER.downcallHandle(
          FunctionDescriptor.of(
              JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG,
              JAVA_LONG),
          Linker.Option.captureCallState("errno"));

  private static final MemorySegment SYSCALL =
      function("syscall")
          .orElseThrow(() -> new IllegalStateException("the C library has no syscall(2)"));

  private Kernel() {}

  /// The address of a C library function, or empty where this C library lacks it.
  static Optional<MemorySegment> function(String name) {
    return LINKER.defaultLookup().find(name);
  }

  /// Calls the kernel; the result is the kernel's own, that is `-errno` on failure.
  static long syscall(
      Scratch scratch, long number, long a, long b, long c, long d, long e, long f) {
    long result = call(SYSCALL, scratch.errno, number, a, b, c, d, e, f);
    return result == -1 ? -scratch.errno.get(JAVA_INT, 0) : result;
  }

  static long syscall(Scratch scratch, long number, long a, long b, long c) {
    return syscall(scratch, number, a, b, c, 0, 0, 0);
  }

  static long syscall(long number, long a, long b, long c, long d, long e, long f) {
    return syscall(Scratch.mine(), number, a, b, c, d, e, f);
  }

  static long syscall(long number, long a, long b, long c, long d) {
    return syscall(Scratch.mine(), number, a, b, c, d, 0, 0);
  }

  static long syscall(long number, long a, long b, long c) {
    return syscall(Scratch.mine(), number, a, b, c, 0, 0, 0);
  }

  static long syscall(long number, long a, long b) {
    return syscall(Scratch.mine(), number, a, b, 0, 0, 0, 0);
  }

  static long syscall(long number, long a) {
    return syscall(Scratch.mine(), number, a, 0, 0, 0, 0, 0);
  }

  static long syscall(long number) {
    return syscall(Scratch.mine(), number, 0, 0, 0, 0, 0, 0);
  }

  /// Calls a library function that reports through its result, as `posix_spawn(3)` does; that result as it is.
  static int function(
      MemorySegment function, Scratch scratch, long a, long b, long c, long d, long e, long f) {
    return (int) call(function, scratch.errno, a, b, c, d, e, f, 0);
  }

  private static long call(
      MemorySegment function,
      MemorySegment errno,
      long a,
      long b,
      long c,
      long d,
      long e,
      long f,
      long g) {
    try {
      return (long) CALL.invokeExact(function, errno, a, b, c, d, e, f, g);
    } catch (Error | RuntimeException failure) {
      throw failure;
    } catch (Throwable impossible) {
      throw new AssertionError("a downcall throws nothing checked", impossible);
    }
  }
}

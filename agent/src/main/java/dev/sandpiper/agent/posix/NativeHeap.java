package dev.sandpiper.agent.posix;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// The C library's heap, in which the JVM's compilers work and direct buffers lie.
public final class NativeHeap {
  private NativeHeap() {}

  /// Gives free pages back to the kernel, malloc_trim(3): the library does so by itself only for what lies at the end of its heaps, and a
  /// compiler's work lies in the middle. Takes some milliseconds. Without effect where the C library has no such function.
  public static void trim() {
    Optional<MemorySegment> trim = Kernel.function("malloc_trim");
    if (trim.isPresent()) {
      Kernel.function(trim.get(), Scratch.mine(), 0, 0, 0, 0, 0, 0);
    }
  }
}

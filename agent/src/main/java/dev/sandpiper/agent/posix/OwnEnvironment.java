package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/// This process's own environment as the kernel shows it in `/proc/PID/environ` (environ(7)): the memory in which the
/// program was given it, whatever has been read out of it since.
public final class OwnEnvironment {
  private static final long MAX_ENTRY_BYTES = 128 * 1024; // MAX_ARG_STRLEN

  private OwnEnvironment() {}

  /// Overwrites the value of a variable with zeros. What was read before (`System.getenv`) stays with whoever read it. Does
  /// nothing where there is no such variable. Not while another thread starts a program with this environment.
  public static void wipe(String name) {
    byte[] prefix = (name + "=").getBytes(StandardCharsets.UTF_8);
    MemorySegment variable = Kernel.function("environ").orElse(MemorySegment.NULL);
    if (variable.address() == 0) {
      return;
    }
    MemorySegment list = variable.reinterpret(ADDRESS.byteSize()).get(ADDRESS, 0);
    if (list.address() == 0) {
      return;
    }
    list = list.reinterpret(Long.MAX_VALUE);
    for (long i = 0; ; i++) {
      MemorySegment entry = list.getAtIndex(ADDRESS, i);
      if (entry.address() == 0) {
        return;
      }
      wipe(entry.reinterpret(MAX_ENTRY_BYTES), prefix);
    }
  }

  private static void wipe(MemorySegment entry, byte[] prefix) {
    for (int i = 0; i < prefix.length; i++) {
      if (entry.get(JAVA_BYTE, i) != prefix[i]) { // differs at the terminating NUL at the latest
        return;
      }
    }
    for (long i = prefix.length; entry.get(JAVA_BYTE, i) != 0; i++) {
      entry.set(JAVA_BYTE, i, (byte) 0);
    }
  }
}

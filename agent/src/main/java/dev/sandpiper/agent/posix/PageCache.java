package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/// Brings parts of files into memory before they are sent.
public final class PageCache {
  private static final int SC_PAGESIZE = 30;

  /// False where cachestat(2) is no use: the kernel lacks it (before Linux 6.5) or forbids it.
  private static volatile boolean told = true;

  private static final int PAGE_BYTES = askPageBytes();

  /// The kernel's usual step of reading ahead, and so how far apart the pages are that are waited for.
  private static final int STRIDE_BYTES = 128 * 1024;

  private static final ThreadLocal<ByteBuffer> ONE_BYTE =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(1));

  private PageCache() {}

  /// Reads a part of a file into the page cache and waits until it is there, or nearly: the whole part is asked for at
  /// once, and then single pages of it are read. Where it is there already this costs about 10 µs for a MiB.
  public static void load(int fd, long offset, long length) {
    Posix.fadvise(fd, offset, length, Fcntl.POSIX_FADV_WILLNEED);
    ByteBuffer one = ONE_BYTE.get();
    long end = offset + length;
    for (long at = offset + Math.min(length, STRIDE_BYTES) - 1; at < end; at += STRIDE_BYTES) {
      one.clear();
      if (Posix.pread(fd, one, at) <= 0) {
        return; // it has become shorter
      }
    }
    if (length > 0) {
      one.clear();
      Posix.pread(fd, one, end - 1);
    }
  }

  /// Whether all of a part of a file is in the page cache; never waits. False where the kernel does not tell: before Linux
  /// 6.5, for files that the agent could not write, and through overlay file systems, which cachestat(2) does not look through.
  public static boolean holds(int fd, long offset, long length) {
    if (!told) {
      return false;
    }
    long page = PAGE_BYTES;
    Scratch scratch = Scratch.mine();
    MemorySegment range = scratch.struct; // struct cachestat_range, and behind it struct cachestat
    range.set(JAVA_LONG, 0, offset);
    range.set(JAVA_LONG, 8, length);
    long result =
        Kernel.syscall(scratch, Abi.CACHESTAT, fd, range.address(), range.address() + 16, 0, 0, 0);
    if (result == -Errno.ENOSYS) {
      told = false;
    }
    long pages = (offset + length + page - 1) / page - offset / page;
    return result == 0 && range.get(JAVA_LONG, 16) >= pages;
  }

  /// The size of a page, and so of what a pipe is made of: 4 KiB on x86-64, up to 64 KiB on aarch64.
  public static int pageBytes() {
    return PAGE_BYTES;
  }

  private static int askPageBytes() {
    int bytes =
        Kernel.function("sysconf")
            .map(sysconf -> Kernel.function(sysconf, Scratch.mine(), SC_PAGESIZE, 0, 0, 0, 0, 0))
            .orElse(0);
    return bytes > 0 ? bytes : 4096; // every C library has it
  }
}

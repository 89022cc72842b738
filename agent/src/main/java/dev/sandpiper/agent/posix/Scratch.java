package dev.sandpiper.agent.posix;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Native memory of one thread: the captured `errno`, and room for the paths and structs of one call at a time.
///
/// Allocated on a thread's first foreign call and freed with the thread, so that a call on a hot path allocates
/// nothing. Nothing in it outlives the call that wrote it.
final class Scratch {
  /// Linux refuses longer paths (`PATH_MAX`, with the terminating NUL).
  static final int PATH_BYTES = 4096;

  /// The largest struct written here is `struct stat`, 144 bytes; group lists go up to 1,000 entries.
  static final int STRUCT_BYTES = 4096;

  private static final int PATH_OFFSET = 16;
  private static final int SECOND_PATH_OFFSET = PATH_OFFSET + PATH_BYTES;
  private static final int STRUCT_OFFSET = SECOND_PATH_OFFSET + PATH_BYTES;

  private static final ThreadLocal<Scratch> MINE = ThreadLocal.withInitial(Scratch::new);

  final MemorySegment errno;
  final MemorySegment struct;
  private final MemorySegment path;
  private final MemorySegment secondPath;

  private Scratch() {
    MemorySegment all = Arena.ofAuto().allocate(STRUCT_OFFSET + (long) STRUCT_BYTES, 16);
    errno = all.asSlice(0, 8);
    path = all.asSlice(PATH_OFFSET, PATH_BYTES);
    secondPath = all.asSlice(SECOND_PATH_OFFSET, PATH_BYTES);
    struct = all.asSlice(STRUCT_OFFSET, STRUCT_BYTES);
  }

  static Scratch mine() {
    return MINE.get();
  }

  /// Address of the NUL-terminated path in the form of [FileNames], or `-errno` where no kernel could take it.
  long path(String text) {
    return encode(text, path);
  }

  /// A second path of the same call, as `rename` needs.
  long secondPath(String text) {
    return encode(text, secondPath);
  }

  /// Tells the two results of {@link #path} apart: user addresses are positive.
  static boolean isError(long address) {
    return address < 0;
  }

  private static long encode(String text, MemorySegment target) {
    byte[] bytes = FileNames.encodeOrNull(text);
    if (bytes == null || bytes.length >= PATH_BYTES) {
      return bytes == null ? -Errno.EINVAL : -Errno.ENAMETOOLONG;
    }
    MemorySegment.copy(bytes, 0, target, java.lang.foreign.ValueLayout.JAVA_BYTE, 0, bytes.length);
    target.set(java.lang.foreign.ValueLayout.JAVA_BYTE, bytes.length, (byte) 0);
    return target.address();
  }
}

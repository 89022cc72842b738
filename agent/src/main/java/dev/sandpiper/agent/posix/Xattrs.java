package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Extended attributes (xattr(7)): of a path with or without following a link at its end, or of an open file. Names have
/// the form of {@link FileNames}, values are bytes. Results are the kernel's, as in {@link Posix}.
public final class Xattrs {
  /// The kernel's own limit of a value and of a list of names (`XATTR_SIZE_MAX`, `XATTR_LIST_MAX`).
  private static final int MOST_BYTES = 65536;

  private Xattrs() {}

  /// listxattr(2) and llistxattr(2): adds the names to `into` and answers zero.
  public static int list(String path, boolean follow, List<String> into) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    return Scratch.isError(address)
        ? (int) address
        : list(scratch, follow ? Abi.LISTXATTR : Abi.LISTXATTR + 1, address, into);
  }

  /// flistxattr(2). Not for a descriptor that was opened with {@link Fcntl#O_PATH}.
  public static int list(int fd, List<String> into) {
    return list(Scratch.mine(), Abi.LISTXATTR + 2, fd, into);
  }

  private static int list(Scratch scratch, int call, long file, List<String> into) {
    MemorySegment room = scratch.struct;
    long length = Kernel.syscall(scratch, call, file, room.address(), room.byteSize());
    if (length != -Errno.ERANGE) {
      split(room, length, into);
      return (int) Math.min(0, length);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment more = arena.allocate(MOST_BYTES);
      length = Kernel.syscall(scratch, call, file, more.address(), more.byteSize());
      split(more, length, into);
      return (int) Math.min(0, length);
    }
  }

  /// Names follow each other, each ended by a NUL.
  private static void split(MemorySegment list, long length, List<String> into) {
    if (length <= 0) {
      return;
    }
    byte[] names = list.asSlice(0, length).toArray(JAVA_BYTE);
    int start = 0;
    for (int i = 0; i < names.length; i++) {
      if (names[i] == 0) {
        into.add(FileNames.decode(names, start, i - start));
        start = i + 1;
      }
    }
  }

  /// getxattr(2) and lgetxattr(2); null where there is none or it cannot be read.
  public static byte @Nullable [] get(String path, boolean follow, String name) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    return Scratch.isError(address)
        ? null
        : get(scratch, follow ? Abi.GETXATTR : Abi.GETXATTR + 1, address, name);
  }

  /// fgetxattr(2).
  public static byte @Nullable [] get(int fd, String name) {
    return get(Scratch.mine(), Abi.GETXATTR + 2, fd, name);
  }

  private static byte @Nullable [] get(Scratch scratch, int call, long file, String name) {
    long attribute = scratch.secondPath(name);
    if (Scratch.isError(attribute)) {
      return null;
    }
    MemorySegment room = scratch.struct;
    long length =
        Kernel.syscall(scratch, call, file, attribute, room.address(), room.byteSize(), 0, 0);
    if (length != -Errno.ERANGE) {
      return length < 0 ? null : room.asSlice(0, length).toArray(JAVA_BYTE);
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment more = arena.allocate(MOST_BYTES);
      length = Kernel.syscall(scratch, call, file, attribute, more.address(), MOST_BYTES, 0, 0);
      return length < 0 ? null : more.asSlice(0, length).toArray(JAVA_BYTE);
    }
  }

  /// setxattr(2) and lsetxattr(2): makes or replaces.
  public static int set(String path, boolean follow, String name, byte[] value) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    return Scratch.isError(address)
        ? (int) address
        : set(scratch, follow ? Abi.SETXATTR : Abi.SETXATTR + 1, address, name, value);
  }

  /// fsetxattr(2).
  public static int set(int fd, String name, byte[] value) {
    return set(Scratch.mine(), Abi.SETXATTR + 2, fd, name, value);
  }

  private static int set(Scratch scratch, int call, long file, String name, byte[] value) {
    if (value.length > MOST_BYTES) {
      return -Errno.E2BIG; // as the kernel answers
    }
    long attribute = scratch.secondPath(name);
    if (Scratch.isError(attribute)) {
      return (int) attribute;
    }
    try (Arena arena = Arena.ofConfined()) {
      boolean fits = value.length <= scratch.struct.byteSize();
      MemorySegment bytes = fits ? scratch.struct : arena.allocate(value.length);
      MemorySegment.copy(value, 0, bytes, JAVA_BYTE, 0, value.length);
      return (int)
          Kernel.syscall(scratch, call, file, attribute, bytes.address(), value.length, 0, 0);
    }
  }

  /// removexattr(2) and lremovexattr(2).
  public static int remove(String path, boolean follow, String name) {
    Scratch scratch = Scratch.mine();
    long address = scratch.path(path);
    return Scratch.isError(address)
        ? (int) address
        : remove(scratch, follow ? Abi.REMOVEXATTR : Abi.REMOVEXATTR + 1, address, name);
  }

  /// fremovexattr(2).
  public static int remove(int fd, String name) {
    return remove(Scratch.mine(), Abi.REMOVEXATTR + 2, fd, name);
  }

  private static int remove(Scratch scratch, int call, long file, String name) {
    long attribute = scratch.secondPath(name);
    return Scratch.isError(attribute)
        ? (int) attribute
        : (int) Kernel.syscall(scratch, call, file, attribute, 0);
  }
}

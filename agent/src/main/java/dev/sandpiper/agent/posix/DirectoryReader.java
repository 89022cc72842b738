package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Reads the names in an open directory (getdents64(2)), in the kernel's order and without `.` and `..`.
///
/// For one thread. The descriptor stays the caller's; its position moves, so a directory is read once per descriptor.
public final class DirectoryReader implements AutoCloseable {
  /// What a name stands for, as far as the file system tells without stat(2); see {@link #type}.
  public static final int UNKNOWN = 0;

  public static final int DIRECTORY = 4;
  public static final int REGULAR = 8;
  public static final int SYMBOLIC_LINK = 10;

  /// What glibc's readdir(3) asks for: some 1,000 names of ordinary length.
  private static final int ROOM_BYTES = 32 * 1024;

  // struct linux_dirent64: inode, offset, length of the record, type, name up to a NUL.
  private static final int LENGTH = 16;
  private static final int TYPE = 18;
  private static final int NAME = 19;

  private final Arena arena = Arena.ofConfined();
  private final MemorySegment room = arena.allocate(ROOM_BYTES, 8);

  /// What the kernel wrote, copied at once: looking at native memory byte by byte is slow until it is compiled.
  private byte[] records = new byte[0];

  private final byte[] name = new byte[256]; // NAME_MAX is 255
  private final int fd;
  private int at; // of the record that follows
  private int filled;
  private int nameLength;
  private int type;
  private int error;

  public DirectoryReader(int fd) {
    this.fd = fd;
  }

  /// Moves to the next name; false at the end, and where {@link #error} says why it is not known.
  public boolean next() {
    do {
      if (at >= filled) {
        long read = Kernel.syscall(Abi.GETDENTS64, fd, room.address(), ROOM_BYTES);
        if (read <= 0) {
          error = (int) read;
          return false;
        }
        filled = (int) read;
        at = 0;
        if (records.length < filled) {
          records = new byte[filled];
        }
        MemorySegment.copy(room, JAVA_BYTE, 0, records, 0, filled);
      }
      int length = (records[at + LENGTH] & 0xFF) | ((records[at + LENGTH + 1] & 0xFF) << 8);
      type = records[at + TYPE];
      // Records are padded with zeroes to eight bytes, so the name ends in the last eight.
      int end = at + Math.max(NAME, length - 8);
      while (records[end] != 0) {
        end++;
      }
      int bytes = end - at - NAME;
      System.arraycopy(records, at + NAME, name, 0, bytes);
      nameLength = bytes;
      at += length;
    } while (isDots());
    return true;
  }

  private boolean isDots() {
    return name[0] == '.' && (nameLength == 1 || (nameLength == 2 && name[1] == '.'));
  }

  /// `-errno` where reading failed, else zero.
  public int error() {
    return error;
  }

  /// What the name stands for: one of the constants or another value of `d_type`.
  public int type() {
    return type;
  }

  /// The name's bytes, up to {@link #nameLength}; good until {@link #next}.
  public byte[] nameBytes() {
    return name;
  }

  public int nameLength() {
    return nameLength;
  }

  /// The name in the form of {@link FileNames}.
  public String name() {
    return FileNames.decode(name, 0, nameLength);
  }

  @Override
  public void close() {
    arena.close();
  }
}

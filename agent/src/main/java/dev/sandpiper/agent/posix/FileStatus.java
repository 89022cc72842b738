package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/// What stat(2) says about a file. Times are nanoseconds since the epoch, with the seconds of the two that callers see
/// and set beside them, since nanoseconds in a `long` end in 2262; ids are unsigned 32-bit values in an `int`.
///
/// @param error zero; only {@link At#status} answers others: then it is `-errno`, and nothing else is set
/// @param special what a device file stands for (`st_rdev`)
public record FileStatus(
    int error,
    long device,
    long inode,
    int mode,
    long links,
    int uid,
    int gid,
    long size,
    long modifiedNanos,
    long changedNanos,
    long modifiedSecond,
    int modifiedNano,
    long accessedSecond,
    int accessedNano,
    long special) {

  /// `sizeof(struct stat)`: 144 on x86-64, 128 on aarch64.
  static final int BYTES = 144;

  private static final int S_IFMT = 0xF000;
  private static final long NANOS = 1_000_000_000L;

  static FileStatus read(MemorySegment stat) {
    return new FileStatus(
        0,
        stat.get(JAVA_LONG, 0),
        stat.get(JAVA_LONG, 8),
        stat.get(JAVA_INT, Abi.STAT_MODE),
        stat.get(JAVA_INT, Abi.STAT_LINKS), // the low half suffices where the field has 64 bits
        stat.get(JAVA_INT, Abi.STAT_UID),
        stat.get(JAVA_INT, Abi.STAT_GID),
        stat.get(JAVA_LONG, 48),
        stat.get(JAVA_LONG, 88) * NANOS + stat.get(JAVA_LONG, 96),
        stat.get(JAVA_LONG, 104) * NANOS + stat.get(JAVA_LONG, 112),
        stat.get(JAVA_LONG, 88),
        (int) stat.get(JAVA_LONG, 96),
        stat.get(JAVA_LONG, 72),
        (int) stat.get(JAVA_LONG, 80),
        stat.get(JAVA_LONG, Abi.STAT_RDEV));
  }

  static FileStatus failed(int error) {
    return new FileStatus(error, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  /// Whether there is one: false where {@link #error} says why not.
  public boolean exists() {
    return error == 0;
  }

  /// Whether both are the same file.
  public boolean isSameFile(FileStatus other) {
    return inode == other.inode && device == other.device;
  }

  public boolean isRegular() {
    return (mode & S_IFMT) == 0x8000;
  }

  public boolean isDirectory() {
    return (mode & S_IFMT) == 0x4000;
  }

  public boolean isFifo() {
    return (mode & S_IFMT) == 0x1000;
  }

  public boolean isSocket() {
    return (mode & S_IFMT) == 0xC000;
  }

  public boolean isCharacterDevice() {
    return (mode & S_IFMT) == 0x2000;
  }

  public boolean isBlockDevice() {
    return (mode & S_IFMT) == 0x6000;
  }

  public boolean isSymbolicLink() {
    return (mode & S_IFMT) == 0xA000;
  }

  /// The twelve permission bits.
  public int permissions() {
    return mode & 0xFFF;
  }
}

package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/// What statfs(2) says about a file system.
///
/// @param type its magic number (`f_type`), such as {@link Posix#TMPFS}
/// @param blockBytes the unit of the three that follow
/// @param freeBlocks what is free, also where only root may have it
/// @param availableBlocks what is free for everybody
/// @param files inodes; zero where the file system does not count them
public record FileSystemStatus(
    long type,
    long blockBytes,
    long blocks,
    long freeBlocks,
    long availableBlocks,
    long files,
    long freeFiles) {

  static FileSystemStatus read(MemorySegment statfs) {
    long fragment = statfs.get(JAVA_LONG, 72); // f_frsize, the unit of the counts; zero on old ones
    return new FileSystemStatus(
        statfs.get(JAVA_LONG, 0) & 0xFFFFFFFFL,
        fragment == 0 ? statfs.get(JAVA_LONG, 8) : fragment,
        statfs.get(JAVA_LONG, 16),
        statfs.get(JAVA_LONG, 24),
        statfs.get(JAVA_LONG, 32),
        statfs.get(JAVA_LONG, 40),
        statfs.get(JAVA_LONG, 48));
  }

  /// Bytes in all.
  public long totalBytes() {
    return blocks * blockBytes;
  }

  /// Bytes that anybody may still write.
  public long availableBytes() {
    return availableBlocks * blockBytes;
  }
}

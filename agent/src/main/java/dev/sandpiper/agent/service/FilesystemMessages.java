package dev.sandpiper.agent.service;

import com.google.protobuf.Timestamp;
import dev.sandpiper.agent.filesystem.Entry;
import dev.sandpiper.proto.filesystem.EntryInfo;
import dev.sandpiper.proto.filesystem.FileType;

/// Entries as messages.
final class FilesystemMessages {
  // Years 1 to 9999: what a timestamp may hold.
  private static final long FIRST_SECOND = -62_135_596_800L;
  private static final long LAST_SECOND = 253_402_300_799L;

  private FilesystemMessages() {}

  /// @param legacy for a client that knows name, type and path only
  static EntryInfo info(Entry entry, boolean legacy) {
    EntryInfo.Builder info =
        EntryInfo.newBuilder()
            .setName(entry.name())
            .setType(type(entry.type()))
            .setPath(entry.path());
    if (legacy) {
      return info.build();
    }
    info.setSize(entry.size())
        .setMode(entry.mode())
        .setPermissions(entry.permissions())
        .setOwner(entry.owner())
        .setGroup(entry.group())
        .putAllMetadata(entry.metadata());
    if (hasTime(entry)) {
      info.setModifiedTime(
          Timestamp.newBuilder().setSeconds(entry.modifiedSecond()).setNanos(entry.modifiedNano()));
    }
    entry.symlinkTarget().ifPresent(info::setSymlinkTarget);
    return info.build();
  }

  private static FileType type(Entry.Type type) {
    return switch (type) {
      case UNSPECIFIED -> FileType.FILE_TYPE_UNSPECIFIED;
      case FILE -> FileType.FILE_TYPE_FILE;
      case DIRECTORY -> FileType.FILE_TYPE_DIRECTORY;
    };
  }

  /// Whether the time is known and a message can hold it.
  static boolean hasTime(Entry entry) {
    return entry.hasModifiedTime()
        && entry.modifiedSecond() >= FIRST_SECOND
        && entry.modifiedSecond() <= LAST_SECOND;
  }
}

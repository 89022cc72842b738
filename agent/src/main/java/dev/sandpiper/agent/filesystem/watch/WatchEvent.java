package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.filesystem.Entry;
import org.jspecify.annotations.Nullable;

/// Something that happened in a watched directory.
///
/// @param name relative to the watched directory, `.` for the directory itself
/// @param entry what was found under the name when the event was seen; null where nobody asked, where it was gone already, and
///     with [Type#REMOVE] and [Type#RENAME]
public record WatchEvent(Type type, String name, @Nullable Entry entry) {
  /// What it was.
  public enum Type {
    /// A name appeared, also by a rename.
    CREATE,
    /// A file's content changed.
    WRITE,
    /// A name disappeared.
    REMOVE,
    /// A name disappeared because it is called otherwise now.
    RENAME,
    /// Permissions, owner, times or extended attributes changed.
    CHMOD
  }
}

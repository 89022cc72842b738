package dev.sandpiper.agent.filesystem;

import java.util.Map;
import java.util.Optional;

/// What callers are told of one file (E2B contract, section 4.4). Names and paths have the form of
/// [FileNames][dev.sandpiper.agent.posix.FileNames].
///
/// @param type of a symbolic link, what it leads to
/// @param size in bytes, of the entry itself
/// @param mode the nine permission bits; of a symbolic link, its target's, or 0 where it leads nowhere
/// @param permissions letters of the entry itself, such as `drwxr-xr-x`
/// @param owner name of the account, or its number
/// @param modifiedSecond since the epoch; exactly the epoch counts as not known
/// @param symlinkTarget of a symbolic link: the absolute path that it leads to, or its own where it leads nowhere
/// @param metadata extended attributes of uploads
public record Entry(
    String name,
    Type type,
    String path,
    long size,
    int mode,
    String permissions,
    String owner,
    String group,
    long modifiedSecond,
    int modifiedNano,
    Optional<String> symlinkTarget,
    Map<String, String> metadata) {

  /// Callers see nothing of devices, FIFOs, sockets and links that lead nowhere: they are `UNSPECIFIED`.
  public enum Type {
    UNSPECIFIED,
    FILE,
    DIRECTORY
  }

  public boolean hasModifiedTime() {
    return modifiedSecond != 0 || modifiedNano != 0;
  }
}

package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Xattrs;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// What callers attached to files: extended attributes named `user.e2b.` and a key (E2B contract, sections 4.4 and 5.7).
public final class Metadata {
  /// In front of every key.
  public static final String PREFIX = "user.e2b.";

  private Metadata() {}

  /// The metadata of a path, following a link at its end, in the order of the keys. What cannot be read, and a key or
  /// value that is not UTF-8, is left out.
  public static Map<String, String> read(String path) {
    List<String> names = new ArrayList<>(0);
    if (Xattrs.list(path, true, names) < 0 || names.isEmpty()) {
      return Map.of();
    }
    Map<String, String> metadata = new TreeMap<>();
    for (String name : names) {
      if (isOurs(name)) {
        put(metadata, name, Xattrs.get(path, true, name));
      }
    }
    return metadata;
  }

  /// The metadata of an open file.
  public static Map<String, String> read(int fd) {
    List<String> names = new ArrayList<>(0);
    if (Xattrs.list(fd, names) < 0 || names.isEmpty()) {
      return Map.of();
    }
    Map<String, String> metadata = new TreeMap<>();
    for (String name : names) {
      if (isOurs(name)) {
        put(metadata, name, Xattrs.get(fd, name));
      }
    }
    return metadata;
  }

  private static boolean isOurs(String name) {
    return name.length() > PREFIX.length()
        && name.startsWith(PREFIX)
        && name.chars().noneMatch(c -> c >= 0xEF80 && c <= 0xEFFF); // a key that is not UTF-8
  }

  private static void put(Map<String, String> into, String name, byte @Nullable [] value) {
    if (value == null) {
      return;
    }
    try {
      into.put(
          name.substring(PREFIX.length()),
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(value)).toString());
    } catch (CharacterCodingException notText) {
      // Somebody else wrote it; the contract says to leave it out.
    }
  }

  /// Makes these the metadata of an open file: others are removed. Zero, or `-errno` of the first that failed:
  /// `-EOPNOTSUPP` where the file system holds none.
  public static int replace(int fd, Map<String, String> metadata) {
    List<String> names = new ArrayList<>(0);
    int listed = Xattrs.list(fd, names);
    if (listed < 0) {
      return listed == -Errno.EOPNOTSUPP && metadata.isEmpty() ? 0 : listed;
    }
    for (String name : names) {
      if (name.startsWith(PREFIX) && !metadata.containsKey(name.substring(PREFIX.length()))) {
        int removed = Xattrs.remove(fd, name);
        if (removed < 0 && removed != -Errno.ENODATA) {
          return removed;
        }
      }
    }
    for (Map.Entry<String, String> each : metadata.entrySet()) {
      byte[] value = each.getValue().getBytes(StandardCharsets.UTF_8);
      int set = Xattrs.set(fd, PREFIX + each.getKey(), value);
      if (set < 0) {
        return set;
      }
    }
    return 0;
  }
}

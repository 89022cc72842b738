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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What callers say about a file, kept with it as extended attributes `user.e2b.<key>` (contract, section 5.7), on open
/// files.
final class UploadMetadata {
  private static final Logger log = LoggerFactory.getLogger("filesystem");
  static final String PREFIX = "user.e2b.";

  private UploadMetadata() {}

  /// Removes all of a file's metadata that is not in `metadata`, and sets what is. A file system without extended
  /// attributes keeps none, which is no failure.
  static void replace(int fd, String path, Map<String, String> metadata) throws FileFailure {
    List<String> names = new ArrayList<>();
    Xattrs.list(fd, names);
    for (String name : names) {
      if (name.startsWith(PREFIX) && !metadata.containsKey(name.substring(PREFIX.length()))) {
        int error = Xattrs.remove(fd, name);
        if (error < 0 && error != -Errno.ENODATA) {
          throw UploadFailures.metadata(FileFailure.of(error, "fremovexattr", path));
        }
      }
    }
    set(fd, path, metadata);
  }

  static void set(int fd, String path, Map<String, String> metadata) throws FileFailure {
    for (Map.Entry<String, String> each : metadata.entrySet()) {
      int error =
          Xattrs.set(fd, PREFIX + each.getKey(), each.getValue().getBytes(StandardCharsets.UTF_8));
      if (error == -Errno.EOPNOTSUPP) {
        log.warn("{} gets no metadata: its file system has no extended attributes", path);
        return;
      }
      if (error < 0) {
        throw UploadFailures.metadata(FileFailure.of(error, "fsetxattr", path));
      }
    }
  }

  /// What a file has; what is not UTF-8 is left out.
  static Map<String, String> read(int fd) {
    List<String> names = new ArrayList<>();
    Xattrs.list(fd, names);
    Map<String, String> metadata = new TreeMap<>();
    for (String name : names) {
      byte[] value = name.startsWith(PREFIX) ? Xattrs.get(fd, name) : null;
      if (value != null) {
        try {
          metadata.put(
              name.substring(PREFIX.length()),
              StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(value)).toString());
        } catch (CharacterCodingException _) {
          log.debug("an attribute is not UTF-8");
        }
      }
    }
    return metadata;
  }
}

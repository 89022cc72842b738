package dev.sandpiper.agent.http;

import dev.sandpiper.agent.config.Setting;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import org.jspecify.annotations.Nullable;

/// One of TLS's files and the setting that names it. Every failure to use it says both.
record TlsFile(Setting<?> setting, Path path) {
  /// What tells one state of a file from another; all null for one that cannot be looked at.
  ///
  /// @param id the file's identity, so that a rename or a changed link shows also where time and size are the same
  record Stamp(@Nullable FileTime modified, long bytes, @Nullable Object id) {}

  private static final int MAX_BYTES = 1024 * 1024; // some hundred certificates
  private static final Stamp NONE = new Stamp(null, -1, null);

  Stamp stamp() {
    try {
      BasicFileAttributes found = Files.readAttributes(path, BasicFileAttributes.class);
      return new Stamp(found.lastModifiedTime(), found.size(), found.fileKey());
    } catch (IOException _) {
      return NONE; // reading it says why
    }
  }

  /// The file as text. Around the PEM blocks there may be anything, in any encoding.
  String text() throws IOException {
    try {
      BasicFileAttributes found = Files.readAttributes(path, BasicFileAttributes.class);
      if (!found.isRegularFile()) {
        throw unusable("is not a file", null);
      }
      if (found.size() > MAX_BYTES) {
        throw unusable("is larger than " + MAX_BYTES + " bytes", null);
      }
      return Files.readString(path, StandardCharsets.ISO_8859_1);
    } catch (NoSuchFileException e) {
      throw unusable("does not exist", e);
    } catch (AccessDeniedException e) {
      throw unusable("may not be read by the agent's user", e);
    } catch (Unusable e) {
      throw e;
    } catch (IOException e) {
      throw unusable("cannot be read: " + e.getMessage(), e);
    }
  }

  /// `what` goes on after the path.
  Unusable unusable(String what, @Nullable Throwable cause) {
    return new Unusable(setting.flag() + ": '" + path + "' " + what, cause);
  }

  /// A file is not what TLS needs. The message names setting and path.
  static final class Unusable extends IOException {
    private static final long serialVersionUID = 1L;

    Unusable(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }
}

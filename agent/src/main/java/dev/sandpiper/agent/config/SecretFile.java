package dev.sandpiper.agent.config;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Reads a secret that is going to travel in a header: from a file, its whole text without the space around it.
public final class SecretFile {
  /// Completes the sentence "the value …" for one that does not fit.
  public static final String NO_HEADER =
      "holds characters that no header can carry, or begins or ends with a space";

  private static final int MAX_BYTES = 16 * 1024; // a header of that size still fits beside others

  private SecretFile() {}

  /// Whether a header can carry it as it is.
  public static boolean fitsAHeader(String secret) {
    return secret.equals(secret.strip()) && secret.chars().noneMatch(c -> c < ' ' || c == 0x7f);
  }

  /// Reads the secret in a file.
  ///
  /// @param writtenAs how the caller wrote the setting that names the file, for errors
  /// @param warnings gets a sentence if other users can read the file
  /// @throws BadSettingException naming setting and file, if there is no secret in it
  public static String read(String writtenAs, Path path, List<String> warnings)
      throws BadSettingException {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(path)) {
      bytes = in.readNBytes(MAX_BYTES + 1);
      if (Files.isRegularFile(path)
          && Files.getPosixFilePermissions(path).contains(PosixFilePermission.OTHERS_READ)) {
        warnings.add(
            writtenAs + ": " + path + " can be read by every user of this machine (chmod o-r)");
      }
    } catch (NoSuchFileException e) {
      throw unusable(writtenAs, path, "does not exist", e);
    } catch (AccessDeniedException e) {
      throw unusable(writtenAs, path, "may not be read by this user", e);
    } catch (IOException e) {
      throw unusable(
          writtenAs, path, Files.isDirectory(path) ? "is a directory" : "cannot be read: " + e, e);
    }
    if (bytes.length > MAX_BYTES) {
      throw unusable(writtenAs, path, "is longer than " + MAX_BYTES + " bytes", null);
    }
    String secret;
    try {
      secret = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw unusable(writtenAs, path, "is not UTF-8 text", e);
    }
    secret = secret.strip();
    if (secret.isEmpty()) {
      throw unusable(writtenAs, path, "is empty", null);
    }
    if (!fitsAHeader(secret)) {
      throw unusable(writtenAs, path, "has more than one line, or other control characters", null);
    }
    return secret;
  }

  private static BadSettingException unusable(
      String writtenAs, Path path, String what, @Nullable Throwable cause) {
    BadSettingException problem =
        new BadSettingException(List.of(writtenAs + ": '" + path + "' " + what));
    if (cause != null) {
      problem.initCause(cause);
    }
    return problem;
  }
}

package dev.sandpiper.agent.filesystem;

import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;

/// Names of the hidden files that stand beside a target for the moment in which it is replaced.
///
/// Who watches a directory sees such a file come (`CREATE`), perhaps grow and change its mode, and be renamed to its
/// target. None of that is news but the end of it: a rename from a name that [#replaces] is a `WRITE` of the target, a
/// rename from any other temporary name its `CREATE`. Every other event of a temporary name means nothing.
public final class UploadNames {
  private static final String PREFIX = ".sandpiper-upload-";

  /// What stands behind the prefix: whether there is a target to replace, and 128 random bits.
  private static final char REPLACES = 'r';

  private static final char CREATES = 'c';
  private static final int LENGTH = PREFIX.length() + 1 + 32;

  private UploadNames() {}

  /// A new name, not the same as any other.
  ///
  /// @param replaces whether there is a file that it is to replace
  static String next(boolean replaces) {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    HexFormat hex = HexFormat.of();
    return PREFIX
        + (replaces ? REPLACES : CREATES)
        + hex.toHexDigits(random.nextLong())
        + hex.toHexDigits(random.nextLong());
  }

  /// Whether a file's name, without its directory, is a temporary one of ours.
  public static boolean isTemporary(String name) {
    if (name.length() != LENGTH || !name.startsWith(PREFIX)) {
      return false;
    }
    char kind = name.charAt(PREFIX.length());
    if (kind != REPLACES && kind != CREATES) {
      return false;
    }
    for (int i = PREFIX.length() + 1; i < LENGTH; i++) {
      char c = name.charAt(i);
      if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
        return false;
      }
    }
    return true;
  }

  /// Of a temporary name: whether its target was there before, so that the rename changed a file and made none.
  public static boolean replaces(String temporaryName) {
    return temporaryName.charAt(PREFIX.length()) == REPLACES;
  }
}

package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.posix.FileStatus;

/// A mode in the letters that E2B's daemon uses: those of what the file is and of its special bits, or `-` for none, then
/// nine of permissions into which, unlike in `ls`, the special bits are not folded.
final class ModeText {
  private static final String PERMISSIONS = "rwxrwxrwx";

  private ModeText() {}

  static String of(FileStatus status) {
    StringBuilder text = new StringBuilder(12);
    if (status.isDirectory()) {
      text.append('d');
    } else if (status.isSymbolicLink()) {
      text.append('L');
    } else if (status.isBlockDevice() || status.isCharacterDevice()) {
      text.append('D');
    } else if (status.isFifo()) {
      text.append('p');
    } else if (status.isSocket()) {
      text.append('S');
    }
    int mode = status.permissions();
    if ((mode & 04000) != 0) {
      text.append('u');
    }
    if ((mode & 02000) != 0) {
      text.append('g');
    }
    if (status.isCharacterDevice()) {
      text.append('c');
    }
    if ((mode & 01000) != 0) {
      text.append('t');
    }
    if (text.isEmpty()) {
      text.append('-');
    }
    for (int i = 0; i < PERMISSIONS.length(); i++) {
      text.append((mode & (0400 >> i)) != 0 ? PERMISSIONS.charAt(i) : '-');
    }
    return text.toString();
  }
}

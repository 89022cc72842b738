package dev.sandpiper.agent.output;

/// A stream of bytes of which each tells its offset, so that any piece of it can be checked by itself.
final class Numbered {
  private Numbered() {}

  static byte at(long offset) {
    long mixed = (offset >>> 3) * 0x9E3779B97F4A7C15L;
    return (byte) (mixed >>> (8 * (offset & 7)));
  }

  static byte[] bytes(long offset, int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = at(offset + i);
    }
    return bytes;
  }

  /// The first offset at which `bytes` is not what is at `offset`, or -1.
  static long firstDifference(byte[] bytes, long offset) {
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] != at(offset + i)) {
        return offset + i;
      }
    }
    return -1;
  }
}

package dev.sandpiper.agent.service;

import dev.sandpiper.agent.launch.PtySize;
import dev.sandpiper.proto.process.PTY;

/// From the wire's terminal size to ours. The kernel keeps 16 bits of each; larger values are refused instead of cut.
final class PtySizes {
  private static final int MAX = 0xffff;

  private PtySizes() {}

  static PtySize of(PTY.Size size) {
    return new PtySize(
        check("pty.size.cols", size.getCols()), check("pty.size.rows", size.getRows()));
  }

  private static int check(String field, int value) {
    if (value < 0 || value > MAX) {
      throw new IllegalArgumentException(
          field + " is " + Integer.toUnsignedString(value) + ", the limit is " + MAX);
    }
    return value;
  }
}

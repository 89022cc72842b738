package dev.sandpiper.agent.logs;

import java.nio.ByteBuffer;

/// What one turn may do, and the buffer it does it with.
final class Work {
  /// A few milliseconds of scanning: then other readings have their turn.
  static final long TURN_BYTES = 4 * 1024 * 1024;

  static final int BUFFER_BYTES = 128 * 1024;

  private static final int ALL_BLOCKS_BYTES = 512 * 1024;
  private static final int LEAST_BLOCK_BYTES = 8 * 1024;

  /// Between log and block; belongs to the thread.
  final ByteBuffer direct;

  private long left = TURN_BYTES;
  private int block = BUFFER_BYTES;

  /// Set when the reading is closed: it stops at the next block.
  volatile boolean stopped;

  Work(ByteBuffer direct) {
    this.direct = direct;
  }

  /// How much a source reads at once, so that all of one reading together stay small.
  int block() {
    return block;
  }

  void sources(int active) {
    block = Math.clamp(ALL_BLOCKS_BYTES / Math.max(1, active), LEAST_BLOCK_BYTES, BUFFER_BYTES);
  }

  void did(long bytes) {
    left -= bytes;
  }

  boolean isOver() {
    return left <= 0 || stopped;
  }
}

package dev.sandpiper.agent.service;

import java.util.concurrent.Semaphore;

/// What all runs together may hold of output in memory: a quarter of the heap, as an answer is there twice while it is encoded.
/// A run whose turn has not come waits with its output on disk. Each takes its share at once, so none waits for another that
/// waits.
final class RunMemory {
  private static final int KIB = 1024;
  private static final int ANSWERS_KIB = 16 * KIB;
  private static final int HEADS_KIB = 16 * KIB;

  private final Semaphore answers = new Semaphore(ANSWERS_KIB, true);
  private final Semaphore heads = new Semaphore(HEADS_KIB);

  /// In KiB, for the beginnings of long outputs; never waited for.
  Semaphore heads() {
    return heads;
  }

  /// Blocks until an answer of so many bytes has its place. Returns what is to be given back.
  int await(long bytes) {
    int share = (int) Math.min(ANSWERS_KIB, (bytes + KIB - 1) / KIB);
    answers.acquireUninterruptibly(share);
    return share;
  }

  void giveBack(int share) {
    answers.release(share);
  }
}

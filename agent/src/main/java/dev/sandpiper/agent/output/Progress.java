package dev.sandpiper.agent.output;

/// Whether a reader that holds a process makes progress: [OutputSettings#STALL_PROGRESS_BYTES] per stall limit.
///
/// A window begins when the reader first holds and ends with the stall limit; having read enough by then begins the next one. A
/// reader that has caught up has no window, and a window that is long over when the next hold begins says nothing any more.
final class Progress {
  private static final long NEVER = Long.MIN_VALUE;

  private long consumed;
  private long windowStart = NEVER;
  private long consumedAtStart;
  private boolean holding;

  void consumed(long bytes) {
    consumed += bytes;
  }

  void caughtUp() {
    windowStart = NEVER;
  }

  /// The hold is over for now; the window stays, so that many short holds are not each granted the whole limit.
  void released() {
    holding = false;
  }

  /// Called while the reader holds: what is left of its time, 0 when it has used it up without progress.
  long patience(long now, long limitNanos) {
    boolean stale = windowStart != NEVER && !holding && now - windowStart >= limitNanos;
    if (windowStart == NEVER || stale) {
      begin(now);
    } else if (now - windowStart >= limitNanos) {
      if (consumed - consumedAtStart < OutputSettings.STALL_PROGRESS_BYTES) {
        return 0;
      }
      begin(now);
    }
    holding = true;
    return limitNanos - (now - windowStart);
  }

  private void begin(long now) {
    windowStart = now;
    consumedAtStart = consumed;
  }
}

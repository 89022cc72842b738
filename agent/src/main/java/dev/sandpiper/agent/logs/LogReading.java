package dev.sandpiper.agent.logs;

import java.util.List;
import java.util.Optional;

/// One query under way. It works only when asked for a batch, and stops at once when closed.
public interface LogReading extends AutoCloseable {
  /// Takes what a reading brings, on a thread of the engine, one call at a time. It may ask for the next batch from inside.
  interface Receiver {
    /// At least one item. Nothing more comes before [LogReading#next].
    void batch(List<LogItem> items);

    /// Nothing more comes, ever.
    void end(End end);

    /// Nothing more comes, ever.
    void failed(LogFailure failure);
  }

  /// How a reading ended.
  ///
  /// @param position where a later query goes on; empty when nothing was found and no cursor given
  /// @param more a limit ended it, and there may be more
  record End(Optional<LogPosition> position, boolean more) {}

  /// Asks for one batch: at most [#MOST_ITEMS] items and about [#MOST_CHARACTERS] characters. The receiver is told once, never
  /// inside this call: of a batch as soon as there is anything, with a follower maybe much later. Any thread; not to be called
  /// again before the answer.
  void next(Receiver receiver);

  int MOST_ITEMS = 512;
  int MOST_CHARACTERS = 128 * 1024;

  /// Where the reading stands: what a heartbeat tells. Empty before the first item when no cursor was given. Any thread.
  Optional<LogPosition> position();

  /// Ends it and lets everything go. Any thread; twice is fine. The receiver is not called after that, but for a call that is
  /// under way.
  @Override
  void close();
}

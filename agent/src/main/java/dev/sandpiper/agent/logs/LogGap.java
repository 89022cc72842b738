package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.output.StreamName;
import org.jspecify.annotations.Nullable;

/// Something that is not there any more, at the place where it would have been. Whether it would have matched a search cannot
/// be known, so gaps are told whatever the query searches for; they count towards no limit.
///
/// @param reason what is gone
/// @param processId null for the agent's own lines
/// @param stream null where it is not one stream's
/// @param start of the bytes that are gone; 0 where the reader's place in that stream cannot be known
/// @param end behind them
public record LogGap(
    LogPosition position,
    Reason reason,
    @Nullable String processId,
    int pid,
    @Nullable String tag,
    @Nullable StreamName stream,
    long start,
    long end)
    implements LogItem {
  /// What is gone.
  public enum Reason {
    /// Retention has removed these bytes.
    REMOVED,
    /// The process of the cursor is not known any more, and nothing of it is kept.
    FORGOTTEN
  }

  /// In words.
  public String message() {
    return switch (reason) {
      case REMOVED ->
          "%d bytes of %s are not kept any more"
              .formatted(end - start, stream == null ? "the agent's own log" : stream.text());
      case FORGOTTEN ->
          "process " + processId + ", where this query was to go on, is not known any more";
    };
  }
}

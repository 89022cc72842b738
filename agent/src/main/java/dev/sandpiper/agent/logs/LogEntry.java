package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.output.StreamName;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One entry: a line that a process printed, its start or end, or a line of the agent's own.
///
/// The time of a line is when its last byte reached the output log. A line longer than [#CERTAINLY_WHOLE_BYTES] may come in
/// several entries of at most [#MOST_BYTES] each: then every one but the first has `continued`, and every one but the last
/// `continues`.
///
/// @param eventType [#OUTPUT], [#START], [#END] or [#AGENT]
/// @param logger `process` for what is a process's, else the part of the agent that speaks
/// @param message a line without its line end; what is not UTF-8 in it is U+FFFD
/// @param processId null in the agent's own lines, and then `pid` is 0
/// @param stream only of output
/// @param offset of the line's first byte in its stream; 0 in all others
/// @param continued the line does not begin here: another entry, or a gap, came before
/// @param continues the line goes on in the next entry of this stream
/// @param fields what else it says, by the names that records use
public record LogEntry(
    LogPosition position,
    LogLevel level,
    String eventType,
    String logger,
    String message,
    @Nullable String processId,
    int pid,
    @Nullable String tag,
    @Nullable StreamName stream,
    long offset,
    boolean continued,
    boolean continues,
    Map<String, String> fields)
    implements LogItem {
  public static final String OUTPUT = "process_output";
  public static final String START = "process_start";
  public static final String END = "process_end";

  /// The agent's own lines.
  public static final String AGENT = "agent_log";

  /// A line of so many bytes, or fewer, is always one entry.
  public static final int CERTAINLY_WHOLE_BYTES = 16 * 1024;

  /// No entry holds more bytes of output.
  public static final int MOST_BYTES = 2 * CERTAINLY_WHOLE_BYTES;

  /// The level of output, starts and ends.
  public static final LogLevel OUTPUT_LEVEL = LogLevel.INFO;
}

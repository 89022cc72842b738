package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.output.StreamName;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// What is asked for. Every field narrows the query; one that is absent does not.
///
/// Output of a process that the query names (by id, pid or tag) is not hidden by `level`. A `pid` means the newest process
/// that had it; with a time range every one that had it and lived within the range; with a cursor the cursor's.
///
/// @param id the process
/// @param pid the kernel's id of the process
/// @param tag the caller's name for processes
/// @param stream then nothing but output is found
/// @param level at least so serious
/// @param eventType one of [LogEntry]'s
/// @param startMicros from this time on
/// @param endMicros before this time
/// @param search the message contains this text
/// @param regex the message contains a match; at most [#MOST_PATTERN] characters, and a bound on its work
/// @param limit at most so many entries
/// @param backward newest first
/// @param cursor goes on behind this entry; before it, when backward
/// @param tail only the last so many of what matches now, oldest first; not with `backward`
/// @param follow goes on with entries to come, until the process that `id` or `pid` names has ended; not with `backward`
public record LogQuery(
    @Nullable String id,
    @Nullable Integer pid,
    @Nullable String tag,
    @Nullable StreamName stream,
    @Nullable LogLevel level,
    @Nullable String eventType,
    OptionalLong startMicros,
    OptionalLong endMicros,
    @Nullable String search,
    @Nullable String regex,
    OptionalLong limit,
    boolean backward,
    @Nullable LogPosition cursor,
    OptionalLong tail,
    boolean follow) {
  public static final int MOST_PATTERN = 1024;

  /// Everything there is.
  public static final LogQuery ALL = new Builder().build();

  /// Whether the query names processes.
  public boolean namesProcess() {
    return id != null || pid != null || tag != null;
  }

  /// This query, to be changed.
  public Builder with() {
    Builder builder = new Builder();
    builder.id = id;
    builder.pid = pid;
    builder.tag = tag;
    builder.stream = stream;
    builder.level = level;
    builder.eventType = eventType;
    builder.startMicros = startMicros;
    builder.endMicros = endMicros;
    builder.search = search;
    builder.regex = regex;
    builder.limit = limit;
    builder.backward = backward;
    builder.cursor = cursor;
    builder.tail = tail;
    builder.follow = follow;
    return builder;
  }

  /// Makes a query, field by field.
  public static final class Builder {
    private @Nullable String id;
    private @Nullable Integer pid;
    private @Nullable String tag;
    private @Nullable StreamName stream;
    private @Nullable LogLevel level;
    private @Nullable String eventType;
    private OptionalLong startMicros = OptionalLong.empty();
    private OptionalLong endMicros = OptionalLong.empty();
    private @Nullable String search;
    private @Nullable String regex;
    private OptionalLong limit = OptionalLong.empty();
    private boolean backward;
    private @Nullable LogPosition cursor;
    private OptionalLong tail = OptionalLong.empty();
    private boolean follow;

    public Builder id(@Nullable String value) {
      id = value;
      return this;
    }

    public Builder pid(@Nullable Integer value) {
      pid = value;
      return this;
    }

    public Builder tag(@Nullable String value) {
      tag = value;
      return this;
    }

    public Builder stream(@Nullable StreamName value) {
      stream = value;
      return this;
    }

    public Builder level(@Nullable LogLevel value) {
      level = value;
      return this;
    }

    public Builder eventType(@Nullable String value) {
      eventType = value;
      return this;
    }

    public Builder startMicros(long value) {
      startMicros = OptionalLong.of(value);
      return this;
    }

    public Builder endMicros(long value) {
      endMicros = OptionalLong.of(value);
      return this;
    }

    public Builder search(@Nullable String value) {
      search = value;
      return this;
    }

    public Builder regex(@Nullable String value) {
      regex = value;
      return this;
    }

    public Builder limit(long value) {
      limit = OptionalLong.of(value);
      return this;
    }

    public Builder backward(boolean value) {
      backward = value;
      return this;
    }

    public Builder cursor(@Nullable LogPosition value) {
      cursor = value;
      return this;
    }

    public Builder tail(long value) {
      tail = OptionalLong.of(value);
      return this;
    }

    public Builder follow(boolean value) {
      follow = value;
      return this;
    }

    public LogQuery build() {
      return new LogQuery(
          id,
          pid,
          tag,
          stream,
          level,
          eventType,
          startMicros,
          endMicros,
          search,
          regex,
          limit,
          backward,
          cursor,
          tail,
          follow);
    }
  }
}

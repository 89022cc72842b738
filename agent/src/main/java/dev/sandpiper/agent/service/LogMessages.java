package dev.sandpiper.agent.service;

import dev.sandpiper.agent.logs.LogEntry;
import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogGap;
import dev.sandpiper.agent.logs.LogItem;
import dev.sandpiper.agent.logs.LogLevel;
import dev.sandpiper.agent.logs.LogPosition;
import dev.sandpiper.agent.logs.LogQuery;
import dev.sandpiper.proto.v1.Direction;
import dev.sandpiper.proto.v1.Level;
import dev.sandpiper.proto.v1.LogResponse;
import dev.sandpiper.proto.v1.Stream;
import io.grpc.Status;
import org.jspecify.annotations.Nullable;

/// Between the messages of `sandpiper.v1.Logs` and the engine.
final class LogMessages {
  private LogMessages() {}

  static LogQuery query(dev.sandpiper.proto.v1.LogQuery wire) throws LogFailure {
    LogQuery.Builder query =
        LogQuery.ALL
            .with()
            .id(text(wire.getId()))
            .pid(wire.getPid() == 0 ? null : wire.getPid())
            .tag(text(wire.getTag()))
            .stream(WireStreams.of(wire.getStream()))
            .level(level(wire.getLevel()))
            .eventType(text(wire.getEventType()))
            .search(text(wire.getSearch()))
            .regex(text(wire.getRegex()))
            .follow(wire.getFollow())
            .backward(wire.getDirection() == Direction.DIRECTION_BACKWARD);
    if (wire.getStream() == Stream.UNRECOGNIZED) {
      throw unknown("stream", wire.getStreamValue());
    }
    if (wire.getLevel() == Level.UNRECOGNIZED) {
      throw unknown("level", wire.getLevelValue());
    }
    if (wire.getDirection() == Direction.UNRECOGNIZED) {
      throw unknown("direction", wire.getDirectionValue());
    }
    if (wire.hasStartUs()) {
      query.startMicros(wire.getStartUs());
    }
    if (wire.hasEndUs()) {
      query.endMicros(wire.getEndUs());
    }
    if (wire.getLimit() != 0) {
      query.limit(wire.getLimit());
    }
    if (wire.hasTail()) {
      query.tail(wire.getTail());
    }
    if (!wire.getCursor().isEmpty()) {
      query.cursor(LogPosition.parse(wire.getCursor()));
    }
    return query.build();
  }

  private static LogFailure unknown(String field, int value) {
    return new LogFailure(LogFailure.Reason.INVALID, field + ": " + value + " is not known");
  }

  private static @Nullable String text(String value) {
    return value.isEmpty() ? null : value;
  }

  private static @Nullable LogLevel level(Level wire) {
    return switch (wire) {
      case LEVEL_DEBUG -> LogLevel.DEBUG;
      case LEVEL_INFO -> LogLevel.INFO;
      case LEVEL_WARN -> LogLevel.WARN;
      case LEVEL_ERROR -> LogLevel.ERROR;
      case LEVEL_UNSPECIFIED, UNRECOGNIZED -> null;
    };
  }

  private static Level level(LogLevel level) {
    return switch (level) {
      case DEBUG -> Level.LEVEL_DEBUG;
      case INFO -> Level.LEVEL_INFO;
      case WARN -> Level.LEVEL_WARN;
      case ERROR -> Level.LEVEL_ERROR;
    };
  }

  static LogResponse item(LogItem item) {
    return switch (item) {
      case LogEntry entry -> LogResponse.newBuilder().setEntry(entry(entry)).build();
      case LogGap gap -> LogResponse.newBuilder().setGap(gap(gap)).build();
    };
  }

  private static dev.sandpiper.proto.v1.LogEntry entry(LogEntry entry) {
    var wire =
        dev.sandpiper.proto.v1.LogEntry.newBuilder()
            .setTimeUs(entry.timeMicros())
            .setLevel(level(entry.level()))
            .setEventType(entry.eventType())
            .setLogger(entry.logger())
            .setMessage(entry.message())
            .setPid(entry.pid())
            .setOffset(entry.offset())
            .setContinued(entry.continued())
            .setContinues(entry.continues())
            .putAllFields(entry.fields())
            .setCursor(entry.position().token());
    if (entry.processId() != null) {
      wire.setProcessId(entry.processId());
    }
    if (entry.tag() != null) {
      wire.setTag(entry.tag());
    }
    if (entry.stream() != null) {
      wire.setStream(WireStreams.of(entry.stream()));
    }
    return wire.build();
  }

  private static dev.sandpiper.proto.v1.LogGap gap(LogGap gap) {
    var wire =
        dev.sandpiper.proto.v1.LogGap.newBuilder()
            .setTimeUs(gap.timeMicros())
            .setPid(gap.pid())
            .setStartOffset(gap.start())
            .setEndOffset(gap.end())
            .setForgotten(gap.reason() == LogGap.Reason.FORGOTTEN)
            .setCursor(gap.position().token());
    if (gap.processId() != null) {
      wire.setProcessId(gap.processId());
    }
    if (gap.tag() != null) {
      wire.setTag(gap.tag());
    }
    if (gap.stream() != null) {
      wire.setStream(WireStreams.of(gap.stream()));
    }
    return wire.build();
  }

  static Status status(LogFailure failure) {
    Status status =
        switch (failure.reason()) {
          case INVALID, BAD_CURSOR -> Status.INVALID_ARGUMENT;
          case UNKNOWN_PROCESS -> Status.NOT_FOUND;
          case EXHAUSTED -> Status.RESOURCE_EXHAUSTED;
          case UNREADABLE -> Status.INTERNAL;
        };
    return status.withDescription(failure.text());
  }
}

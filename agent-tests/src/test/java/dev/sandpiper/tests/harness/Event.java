package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.ProcessEvent;
import org.jspecify.annotations.Nullable;

/// What a follower of a process sees, in order.
public sealed interface Event {
  record Start(int pid) implements Event {}

  /// Bytes of one stream: `stdout`, `stderr` or `pty`.
  record Data(String stream, ByteString bytes) implements Event {}

  record KeepAlive() implements Event {}

  record End(int exitCode, boolean exited, String status, @Nullable String error)
      implements Event {}

  /// The call itself is over; the error is absent when it ended well.
  record Over(@Nullable RpcException error) implements Event {}

  static Event of(ProcessEvent event) {
    return switch (event.getEventCase()) {
      case START -> new Start(event.getStart().getPid());
      case DATA -> {
        ProcessEvent.DataEvent data = event.getData();
        yield switch (data.getOutputCase()) {
          case STDOUT -> new Data("stdout", data.getStdout());
          case STDERR -> new Data("stderr", data.getStderr());
          case PTY -> new Data("pty", data.getPty());
          case OUTPUT_NOT_SET -> throw new AssertionError("a data event of no stream");
        };
      }
      case END -> {
        ProcessEvent.EndEvent end = event.getEnd();
        yield new End(
            end.getExitCode(),
            end.getExited(),
            end.getStatus(),
            end.hasError() ? end.getError() : null);
      }
      case KEEPALIVE -> new KeepAlive();
      case EVENT_NOT_SET -> throw new AssertionError("an event that is none");
    };
  }
}

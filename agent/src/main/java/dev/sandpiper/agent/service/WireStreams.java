package dev.sandpiper.agent.service;

import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.proto.v1.Stream;
import org.jspecify.annotations.Nullable;

/// The streams of `sandpiper.v1`.
final class WireStreams {
  private WireStreams() {}

  static Stream of(StreamName name) {
    return switch (name) {
      case STDOUT -> Stream.STREAM_STDOUT;
      case STDERR -> Stream.STREAM_STDERR;
      case PTY -> Stream.STREAM_TERMINAL;
    };
  }

  /// Null for one that is not set or not known.
  static @Nullable StreamName of(Stream wire) {
    return switch (wire) {
      case STREAM_STDOUT -> StreamName.STDOUT;
      case STREAM_STDERR -> StreamName.STDERR;
      case STREAM_TERMINAL -> StreamName.PTY;
      case STREAM_UNSPECIFIED, UNRECOGNIZED -> null;
    };
  }

  /// As messages call it.
  static String text(StreamName name) {
    return name == StreamName.PTY ? "terminal" : name.text();
  }
}

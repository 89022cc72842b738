package dev.sandpiper.agent.service;

import io.grpc.Metadata;
import java.time.Duration;

/// The interval of keepalive events, from the request header `Keepalive-Ping-Interval` in seconds (contract, section 1.5).
/// Missing, unreadable, zero, negative and absurdly large values mean the default; envd crashed on some of them.
final class Keepalive {
  static final Duration DEFAULT = Duration.ofSeconds(90);
  private static final long MAX_SECONDS = Duration.ofDays(1).toSeconds();
  private static final Metadata.Key<String> HEADER =
      Metadata.Key.of("keepalive-ping-interval", Metadata.ASCII_STRING_MARSHALLER);

  private Keepalive() {}

  static Duration interval(Metadata headers) {
    String value = headers.get(HEADER);
    if (value == null) {
      return DEFAULT;
    }
    try {
      long seconds = Long.parseLong(value.strip());
      return seconds >= 1 && seconds <= MAX_SECONDS ? Duration.ofSeconds(seconds) : DEFAULT;
    } catch (NumberFormatException _) {
      return DEFAULT;
    }
  }
}

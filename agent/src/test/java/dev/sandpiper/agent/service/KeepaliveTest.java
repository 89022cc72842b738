package dev.sandpiper.agent.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Metadata;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KeepaliveTest {
  @ParameterizedTest
  @ValueSource(
      strings = {"0", "-1", "10000000000", "9223372036854775808", "abc", "", "1.5", "86401"})
  void valuesThatCrashedOthersMeanTheDefault(String value) {
    assertThat(Keepalive.interval(headers(value))).isEqualTo(Keepalive.DEFAULT);
  }

  @Test
  void aNumberOfSecondsIsTaken() {
    assertThat(Keepalive.interval(headers("50"))).isEqualTo(Duration.ofSeconds(50));
    assertThat(Keepalive.interval(headers(" 1 "))).isEqualTo(Duration.ofSeconds(1));
  }

  @Test
  void aMissingHeaderMeansTheDefault() {
    assertThat(Keepalive.interval(new Metadata())).isEqualTo(Duration.ofSeconds(90));
  }

  private static Metadata headers(String value) {
    Metadata headers = new Metadata();
    headers.put(
        Metadata.Key.of("keepalive-ping-interval", Metadata.ASCII_STRING_MARSHALLER), value);
    return headers;
  }
}

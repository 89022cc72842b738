package dev.sandpiper.agent.auth;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class AuthorityTest {
  @ParameterizedTest
  @CsvSource({
    "localhost, localhost",
    "LocalHost:49983, localhost",
    "localhost.:1, localhost",
    "a.b-c_d.example:, a.b-c_d.example",
    "127.0.0.1:80, 127.0.0.1",
    "[::1], 0:0:0:0:0:0:0:1",
    "[::1]:49983, 0:0:0:0:0:0:0:1",
    "[0:0::1]:1, 0:0:0:0:0:0:0:1",
  })
  void theHostIsReadOutOfIt(String authority, String host) {
    assertThat(Authority.host(authority)).isEqualTo(host);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ":80",
        "a b",
        "localhost@evil.example",
        "user@localhost",
        "::1",
        "[::1",
        "[::1]x",
        "[localhost]",
        "localhost:80:80",
        "localhost:x",
        "localhost/",
        "évil",
        ".",
        "[::1]:8x"
      })
  void whatIsNoneIsNone(String authority) {
    assertThat(Authority.host(authority)).isNull();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "localhost",
        "app.localhost",
        "127.0.0.1",
        "127.255.1.2",
        "0:0:0:0:0:0:0:1",
        "::ffff:127.0.0.1"
      })
  void theLoopbackIsKnown(String host) {
    assertThat(Authority.isLoopback(host)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "localhost.example",
        "notlocalhost",
        "127.0.0.1.example",
        "128.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "0:0:0:0:0:0:0:2",
        "0177.0.0.1",
        "1password.example"
      })
  void everythingElseIsNotTheLoopback(String host) {
    assertThat(Authority.isLoopback(host)).isFalse();
  }

  @ParameterizedTest
  @CsvSource({
    "agent.internal, agent.internal, true",
    "agent.internal, x.agent.internal, false",
    "*.internal, agent.internal, true",
    "*.internal, a.b.internal, true",
    "*.internal, internal, false",
    "*.internal, .internal, false",
    "*.internal, xinternal, false",
    "10.0.0.7, 10.0.0.7, true",
  })
  void patternsMatchNamesAndWhatIsBelowThem(String pattern, String host, boolean expected) {
    assertThat(Authority.isAmong(List.of(pattern), host)).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "agent.internal, true",
    "*.sandbox.example, true",
    "10.0.0.7, true",
    "[fe80::1], true",
    "fe80::1, true",
    "*, false",
    "a*b, false",
    "http://x, false",
    "x:80, false",
    "*.*, false",
  })
  void settingsHoldPatternsOnly(String text, boolean good) {
    assertThat(Authority.isPattern(text)).isEqualTo(good);
  }
}

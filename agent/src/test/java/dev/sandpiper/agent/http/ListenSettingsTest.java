package dev.sandpiper.agent.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Settings;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class ListenSettingsTest {
  private static HttpSettings from(Map<String, String> flags) throws BadSettingException {
    return ListenSettings.from(Settings.resolve(ListenSettings.all(), flags, Map.of()));
  }

  @Test
  void withoutACertificateThereIsNoTls() throws BadSettingException {
    assertThat(from(Map.of()).tls()).isNull();
  }

  @Test
  void certificateAndKeyMakeTlsAndAnAuthorityIsOptional() throws BadSettingException {
    assertThat(from(Map.of("tls-cert", "/c", "tls-key", "/k")).tls())
        .isEqualTo(new TlsSettings(Path.of("/c"), Path.of("/k"), null));
    assertThat(from(Map.of("tls-cert", "/c", "tls-key", "/k", "tls-client-ca", "/a")).tls())
        .isEqualTo(new TlsSettings(Path.of("/c"), Path.of("/k"), Path.of("/a")));
  }

  @Test
  void halfOfWhatTlsNeedsIsRefusedNamingBothSettings() {
    assertRefused(
        Map.of("tls-cert", "/c", "tls-client-ca", "/a"), "--tls-cert: is given without --tls-key");
    assertRefused(Map.of("tls-key", "/k"), "--tls-key: is given without --tls-cert");
    assertRefused(
        Map.of("tls-client-ca", "/a"),
        "--tls-client-ca: is given without --tls-cert and --tls-key");
  }

  private static void assertRefused(Map<String, String> flags, String message) {
    assertThatThrownBy(() -> from(flags))
        .isInstanceOf(BadSettingException.class)
        .hasMessage(message);
  }
}

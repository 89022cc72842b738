package dev.sandpiper.agent.auth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Settings;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class AuthSettingsTest {
  private static final Map<String, String> TOKEN = Map.of("SANDPIPER_ACCESS_TOKEN", "hunter2");

  @TempDir Path directory;

  private static AuthSettings at(
      String listen, Map<String, String> flags, Map<String, String> environment)
      throws BadSettingException {
    return AuthSettings.from(
        Settings.resolve(AuthSettings.all(), flags, environment),
        List.of(InetSocketAddress.createUnresolved(listen, 1)));
  }

  private static void assertRefused(
      String listen, Map<String, String> flags, Map<String, String> environment, String... words) {
    assertThatThrownBy(() -> at(listen, flags, environment))
        .isInstanceOf(BadSettingException.class)
        .hasMessageContainingAll(words)
        .hasMessageNotContaining("hunter2");
  }

  private Path file(String content, String permissions) throws IOException {
    Path file = directory.resolve("secret");
    Files.writeString(file, content);
    return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
  }

  @ParameterizedTest
  @ValueSource(strings = {"127.0.0.1", "::1", "localhost", "127.9.9.9"})
  void theLoopbackNeedsNoToken(String listen) throws Exception {
    AuthSettings settings = at(listen, Map.of(), Map.of());
    assertThat(settings.token().isSet() || settings.token().isAwaited()).isFalse();
    assertThat(settings.anyHost()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.0.0.0", "::", "10.0.0.1"})
  void beyondItOneOfThreeIsNeeded(String listen) {
    assertRefused(
        listen,
        Map.of(),
        Map.of(),
        "--listen",
        listen,
        "--access-token-file",
        "SANDPIPER_ACCESS_TOKEN_FILE",
        "SANDPIPER_ACCESS_TOKEN",
        "--await-init",
        "SANDPIPER_AWAIT_INIT",
        "--allow-unauthenticated",
        "SANDPIPER_ALLOW_UNAUTHENTICATED");
    assertThatCode(() -> at(listen, Map.of(), TOKEN)).doesNotThrowAnyException();
    assertThatCode(() -> at(listen, Map.of("await-init", "true"), Map.of()))
        .doesNotThrowAnyException();
    assertThatCode(() -> at(listen, Map.of("allow-unauthenticated", "true"), Map.of()))
        .doesNotThrowAnyException();
  }

  @Test
  void aTokenThatIsGivenIsNotAwaited() throws Exception {
    AuthSettings settings = at("0.0.0.0", Map.of("await-init", "true"), TOKEN);
    assertThat(settings.token().matches("hunter2")).isTrue();
    assertThat(settings.token().isAwaited()).isFalse();
    assertThat(settings.toString()).doesNotContain("hunter2");
  }

  @Test
  void whatContradictsItselfIsRefused() {
    assertRefused(
        "127.0.0.1",
        Map.of("await-init", "true", "allow-unauthenticated", "true"),
        Map.of(),
        "--await-init",
        "--allow-unauthenticated");
    assertRefused(
        "127.0.0.1", Map.of("allow-unauthenticated", "true"), TOKEN, "--allow-unauthenticated");
    assertRefused(
        "127.0.0.1",
        Map.of("access-token-file", "/x"),
        TOKEN,
        "--access-token-file",
        "SANDPIPER_ACCESS_TOKEN");
    assertRefused(
        "127.0.0.1",
        Map.of(),
        Map.of("SANDPIPER_ACCESS_TOKEN", "hunter2", "SANDPIPER_INIT_SECRET", "x"),
        "SANDPIPER_INIT_SECRET");
  }

  @Test
  void theFilesTextIsTheToken() throws Exception {
    Path file = file("  hunter2\r\n\n", "rw-------");
    AuthSettings settings = at("0.0.0.0", Map.of("access-token-file", file.toString()), Map.of());
    assertThat(settings.token().matches("hunter2")).isTrue();
    assertThat(settings.warnings()).isEmpty();
  }

  @Test
  void aFileThatEverybodyCanReadIsWarnedOf() throws Exception {
    Path file = file("hunter2", "rw-r--r--");
    AuthSettings settings = at("0.0.0.0", Map.of("access-token-file", file.toString()), Map.of());
    assertThat(settings.warnings())
        .singleElement()
        .asString()
        .contains("--access-token-file", file.toString())
        .doesNotContain("hunter2");
  }

  @Test
  void aFileThatCannotBeUsedIsNamed() throws Exception {
    Path missing = directory.resolve("missing");
    assertFileRefused(missing, "does not exist");
    assertFileRefused(directory, "is a directory");
    assertFileRefused(file(" \n\t", "rw-------"), "is empty");
    assertFileRefused(file("hunter2\nx", "rw-------"), "more than one line");
    assertFileRefused(file("hunter2".repeat(10_000), "rw-------"), "is longer than 16384 bytes");
    Path binary = file("", "rw-------");
    Files.write(binary, new byte[] {'a', (byte) 0xff});
    assertFileRefused(binary, "is not UTF-8 text");
  }

  private static void assertFileRefused(Path file, String what) {
    for (String setting : List.of("access-token-file", "init-secret-file")) {
      assertRefused(
          "127.0.0.1",
          Map.of(setting, file.toString()),
          Map.of(),
          "--" + setting,
          file.toString(),
          what);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {" hunter2", "hunter2 ", "hunter2\n", "hun\tter2", "hunter2\u007f"})
  void aTokenThatNoHeaderCanCarryIsRefused(String token) {
    assertRefused(
        "127.0.0.1",
        Map.of(),
        Map.of("SANDPIPER_ACCESS_TOKEN", token),
        "SANDPIPER_ACCESS_TOKEN",
        "header");
  }

  @Test
  void anAgentForOthersAnswersToAnyNameUnlessItsNamesAreGiven() throws Exception {
    assertThat(at("0.0.0.0", Map.of("await-init", "true"), Map.of()).anyHost()).isTrue();
    assertThat(at("0.0.0.0", Map.of("allow-unauthenticated", "true"), Map.of()).anyHost()).isTrue();
    AuthSettings named =
        at(
            "0.0.0.0",
            Map.of("allow-unauthenticated", "true", "allowed-host", "Agent.internal., [FE80::1]"),
            Map.of());
    assertThat(named.anyHost()).isFalse();
    assertThat(named.allowedHosts()).containsExactly("agent.internal", "fe80:0:0:0:0:0:0:1");
    assertRefused(
        "127.0.0.1", Map.of("allowed-host", "http://x"), Map.of(), "--allowed-host", "http://x");
  }
}

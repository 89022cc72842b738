package dev.sandpiper.agent;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class VersionTest {
  @Test
  void comesFromTheBuild() {
    assertThat(Version.current()).matches("\\d+\\.\\d+\\.\\d+(-.+)?");
  }
}

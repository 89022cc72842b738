package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class ImageIT {
  @Test
  void theBuildSaysWhereTheImageIs() {
    assertThat(System.getProperty("sandpiper.image")).isNotBlank();
  }
}

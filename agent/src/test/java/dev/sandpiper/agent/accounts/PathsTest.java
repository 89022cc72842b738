package dev.sandpiper.agent.accounts;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class PathsTest {
  private static final User ALICE =
      new User("alice", 1000, 1000, List.of(1000), "/home/alice", "/bin/sh");

  @Test
  void pathsAreResolvedAsTheContractSays() throws BadPathException {
    assertThat(resolve("")).isEqualTo("/home/alice");
    assertThat(resolve("~")).isEqualTo("/home/alice");
    assertThat(resolve("~/x")).isEqualTo("/home/alice/x");
    assertThat(resolve("~\\x")).isEqualTo("/home/alice/x");
    assertThat(resolve("a/../b/./c")).isEqualTo("/home/alice/b/c");
    assertThat(resolve("../../../..")).isEqualTo("/");
    assertThat(resolve("/a/../b")).as("absolute is verbatim").isEqualTo("/a/../b");
  }

  @Test
  void aDefaultDirectoryServesOnlyEmptyPaths() throws BadPathException {
    assertThat(Paths.resolve("", ALICE, Optional.of("/work"))).isEqualTo("/work");
    assertThat(Paths.resolve("", ALICE, Optional.of("~/work"))).isEqualTo("/home/alice/work");
    assertThat(Paths.resolve("x", ALICE, Optional.of("/work"))).isEqualTo("/home/alice/x");
  }

  @Test
  void theHomeOfSomebodyElseIsRefused() {
    assertThatThrownBy(() -> resolve("~bob/x"))
        .isInstanceOf(BadPathException.class)
        .hasMessage(
            "failed to expand path '~bob/x' for user 'alice': cannot expand user-specific home dir");
  }

  @Test
  void aNulIsRefused() {
    assertThatThrownBy(() -> resolve("a\0b"))
        .isInstanceOf(BadPathException.class)
        .hasMessage("path 'a\\0b' holds a NUL character, which no path can");
  }

  private static String resolve(String path) throws BadPathException {
    return Paths.resolve(path, ALICE, Optional.empty());
  }
}

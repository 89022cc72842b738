package dev.sandpiper.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.config.Setting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Holds the Dockerfile and the document on deploying to the settings that there are.
class DeployTest {
  private static final Pattern VARIABLE = Pattern.compile("SANDPIPER_[A-Z_]+");
  private static final Pattern SERVE = Pattern.compile("\\bserve((?: --[a-z-]+[= ]?\\S*)+)");
  private static final Pattern FLAG = Pattern.compile("--[a-z-]+");

  private static String read(String file) throws IOException {
    return Files.readString(Path.of("..", file));
  }

  @ParameterizedTest
  @ValueSource(strings = {"Dockerfile", "docs/deploy.md"})
  void variablesAreSettings(String file) throws IOException {
    assertThat(VARIABLE.matcher(read(file)).results().map(MatchResult::group))
        .isNotEmpty()
        .isSubsetOf(Agent.settings().stream().map(Setting::variable).toList());
  }

  @ParameterizedTest
  @ValueSource(strings = {"docs/deploy.md", "agent/src/image/bin/sandpiper-supervise"})
  void optionsOfServeAreSettings(String file) throws IOException {
    assertThat(
            SERVE
                .matcher(read(file))
                .results()
                .flatMap(it -> FLAG.matcher(it.group(1)).results())
                .map(MatchResult::group))
        .isNotEmpty()
        .isSubsetOf(Agent.settings().stream().map(Setting::flag).toList());
  }

  @Test
  void theImagesLabelHasTheVersion() throws IOException {
    assertThat(read("Dockerfile")).contains("ARG VERSION=" + Version.current() + "\n");
  }
}

package dev.sandpiper.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.config.Setting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/// Holds the README to what the program says of itself. `-Dreadme.write=true` rewrites the table instead.
class ReadmeTest {
  private static final Path README = Path.of("..", "README.md");
  private static final String BEGIN =
      "<!-- settings: checked by ReadmeTest, rewritten with -Dreadme.write=true -->\n";
  private static final String END = "<!-- end of settings -->\n";

  private static String table(List<Setting<?>> settings) {
    return settings.stream()
        .map(ReadmeTest::row)
        .collect(
            Collectors.joining(
                "",
                """
                | Option | Variable | Default | Range | What for |
                |---|---|---|---|---|
                """,
                ""));
  }

  private static String row(Setting<?> setting) {
    return "| %s | `%s` | %s | %s | %s |\n"
        .formatted(
            setting.secret() ? "none" : "`" + setting.flag() + "`",
            setting.variable(),
            setting.defaultText(),
            setting.range(),
            setting.reason().replace("|", "\\|"));
  }

  @Test
  void tableOfSettingsIsTheListOfSettings() throws IOException {
    var text = Files.readString(README);
    var from = text.indexOf(BEGIN) + BEGIN.length();
    var to = text.indexOf(END);
    assertThat(to).as("markers around the table").isGreaterThanOrEqualTo(from);
    var expected = table(Agent.settings());
    if (Boolean.getBoolean("readme.write")) {
      Files.writeString(README, text.substring(0, from) + expected + text.substring(to));
      return;
    }
    assertThat(text.substring(from, to))
        .as("mvn -pl agent -am test -Dtest=ReadmeTest -Dreadme.write=true rewrites it")
        .isEqualTo(expected);
  }

  @Test
  void settingsHaveNamesOfTheirOwn() {
    assertThat(Agent.settings().stream().map(Setting::name)).doesNotHaveDuplicates();
  }
}

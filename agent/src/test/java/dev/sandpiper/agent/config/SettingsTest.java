package dev.sandpiper.agent.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class SettingsTest {
  private static final Setting<Integer> PORT =
      Setting.integer("port").between(0, 65_535).defaultsTo(49_983).because("where to listen");
  private static final Setting<String> TOKEN =
      Setting.text("access-token")
          .check(token -> token.length() >= 8, "is shorter than 8 characters")
          .secret()
          .defaultsTo("")
          .because("who may call");
  private static final List<Setting<?>> ALL = List.of(PORT, TOKEN);

  @Test
  void takesTheDefaultWhenNothingIsSet() throws Exception {
    assertThat(Settings.resolve(ALL, Map.of(), Map.of()).get(PORT)).isEqualTo(49_983);
  }

  @Test
  void environmentGoesBeforeDefaultAndFlagBeforeEnvironment() throws Exception {
    var environment = Map.of("SANDPIPER_PORT", "1");
    assertThat(Settings.resolve(ALL, Map.of(), environment).get(PORT)).isEqualTo(1);
    assertThat(Settings.resolve(ALL, Map.of("port", "2"), environment).get(PORT)).isEqualTo(2);
  }

  @Test
  void emptyVariableCountsAsNotSet() throws Exception {
    assertThat(Settings.resolve(ALL, Map.of(), Map.of("SANDPIPER_PORT", "")).get(PORT))
        .isEqualTo(49_983);
  }

  @Test
  void badValueNamesTheSettingAndWhereItCameFrom() {
    assertThatThrownBy(() -> Settings.resolve(ALL, Map.of("port", "70000"), Map.of()))
        .isInstanceOf(BadSettingException.class)
        .hasMessage("--port: '70000' is not within 0 to 65535");
    assertThatThrownBy(() -> Settings.resolve(ALL, Map.of(), Map.of("SANDPIPER_PORT", "http")))
        .isInstanceOf(BadSettingException.class)
        .hasMessage("SANDPIPER_PORT: 'http' is not a whole number");
  }

  @Test
  void variableThatAFlagOverridesMayBeBad() throws Exception {
    var settings = Settings.resolve(ALL, Map.of("port", "1"), Map.of("SANDPIPER_PORT", "nonsense"));
    assertThat(settings.get(PORT)).isEqualTo(1);
  }

  @Test
  void everyBadValueHasALine() {
    assertThatThrownBy(() ->
            Settings.resolve(ALL, Map.of("port", "x"), Map.of("SANDPIPER_ACCESS_TOKEN", "hunter2")))
        .hasMessage(
            """
            --port: 'x' is not a whole number
            SANDPIPER_ACCESS_TOKEN: the secret value is shorter than 8 characters\
            """);
  }

  @Test
  void secretIsNeverShown() throws Exception {
    var settings =
        Settings.resolve(ALL, Map.of(), Map.of("SANDPIPER_ACCESS_TOKEN", "correct horse"));
    assertThat(settings.get(TOKEN)).isEqualTo("correct horse");
    assertThat(settings.render() + settings.effective())
        .doesNotContain("correct")
        .contains("access-token=(secret) (environment)");
  }

  @Test
  void rendersEveryValueOnceWithItsSource() throws Exception {
    var settings = Settings.resolve(List.of(PORT), Map.of("port", "8080"), Map.of());
    assertThat(settings.render()).isEqualTo("port=8080 (command line)");
    assertThat(Settings.defaults(List.of(PORT)).render()).isEqualTo("port=49983");
    assertThat(settings.effective()).isEqualTo(Map.of("port", "8080"));
  }

  @Test
  void warnsOfNamesThatAreNoSettings() throws Exception {
    var environment =
        Map.of(
            "SANDPIPER_PROT", "1",
            "SANDPIPER_PORT", "1",
            "SANDPIPER_URL", "http://127.0.0.1:1",
            "SANDPIPER_PROCESS_ID", "x",
            "PORT", "1");
    assertThat(Settings.resolve(ALL, Map.of(), environment).warnings())
        .containsExactly("environment variable SANDPIPER_PROT names no setting and is ignored");
  }

  @Test
  void computesADefaultOnceAndOnlyWhenNeeded() throws Exception {
    var asked = new AtomicInteger();
    var setting =
        Setting.path("state-dir")
            .defaultsTo(() -> Path.of("/" + asked.incrementAndGet()), "depends")
            .because("where");
    var settings = Settings.defaults(List.of(setting));
    assertThat(settings.get(setting)).isEqualTo(Path.of("/1"));
    assertThat(settings.get(setting)).isEqualTo(Path.of("/1"));
    Settings.resolve(List.of(setting), Map.of("state-dir", "/x"), Map.of());
    assertThat(asked).hasValue(1);
  }

  @Test
  void mistakesOfTheProgramAreNotBlamedOnTheUser() {
    var twin = Setting.integer("port").defaultsTo(1).because("again");
    assertThatThrownBy(() -> Settings.defaults(List.of(PORT, twin)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Settings.resolve(ALL, Map.of("nope", "1"), Map.of()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Settings.defaults(List.of(PORT)).get(twin))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void settingsThatContradictEachOtherAreReportedByName() {
    assertThat(BadSettingException.of(PORT, "is given twice")).hasMessage("--port: is given twice");
  }
}

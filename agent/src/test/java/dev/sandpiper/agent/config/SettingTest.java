package dev.sandpiper.agent.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SettingTest {
  private enum Mode {
    STOP_ALL,
    LEAVE
  }

  private static final Setting<Integer> PORT =
      Setting.integer("http-port").between(0, 65_535).defaultsTo(49_983).because("where to listen");
  private static final Setting<Long> SIZE =
      Setting.size("cap").between(1L, 1L << 40).defaultsTo(2L << 20).because("how much");
  private static final Setting<Duration> TIME =
      Setting.time("limit").defaultsTo(Duration.ofSeconds(5)).because("how long");

  @Test
  void namesItsFlagAndItsVariable() {
    assertThat(PORT.flag()).isEqualTo("--http-port");
    assertThat(PORT.variable()).isEqualTo("SANDPIPER_HTTP_PORT");
    assertThat(PORT.defaultText()).isEqualTo("49983");
    assertThat(PORT.range()).isEqualTo("0 to 65535");
  }

  @ParameterizedTest(name = "\"{0}\" is {1} bytes")
  @CsvSource({
    "0, 0",
    "17, 17",
    "17B, 17",
    "1KiB, 1024",
    "64 MiB, 67108864",
    "64mib, 67108864",
    "3GiB, 3221225472",
    "1TiB, 1099511627776"
  })
  void readsSizes(String text, long bytes) {
    assertThat(Values.parseSize(text)).isEqualTo(bytes);
  }

  @ParameterizedTest(name = "\"{0}\" is {1} ms")
  @CsvSource({
    "0, 0",
    "250ms, 250",
    "5s, 5000",
    "2m, 120000",
    "2 m, 120000",
    "1h, 3600000",
    "1d, 86400000"
  })
  void readsTimes(String text, long millis) {
    assertThat(Values.parseTime(text)).isEqualTo(Duration.ofMillis(millis));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "1B", "1023B", "1KiB", "1536KiB", "64MiB", "1TiB"})
  void writesSizesAsItReadsThem(String text) {
    assertThat(Values.renderSize(Values.parseSize(text))).isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "1ms", "1500ms", "5s", "90s", "2m", "36h", "1d"})
  void writesTimesAsItReadsThem(String text) {
    assertThat(Values.renderTime(Values.parseTime(text))).isEqualTo(text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "MiB",
        "-1",
        "1.5MiB",
        "1kB",
        "64MB",
        "0x10",
        "1e3",
        "99999999999999999999",
        "9999999TiB"
      })
  void refusesWhatIsNoSize(String text) {
    assertThatThrownBy(() -> Values.parseSize(text)).isInstanceOf(IllegalArgumentException.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "s", "5", "-1s", "1.5s", "1m30s", "5 parsecs", "99999999999999999999s"})
  void refusesWhatIsNoTime(String text) {
    assertThatThrownBy(() -> Values.parseTime(text)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void refusesValuesOutsideTheRange() {
    assertThat(PORT.parse("0")).isZero();
    assertThat(PORT.parse("65535")).isEqualTo(65_535);
    assertThatThrownBy(() -> PORT.parse("65536")).hasMessage("is not within 0 to 65535");
    assertThatThrownBy(() -> PORT.parse("-1")).hasMessage("is not within 0 to 65535");
    assertThatThrownBy(() -> PORT.parse("http")).hasMessage("is not a whole number");
    assertThatThrownBy(() -> SIZE.parse("0")).hasMessage("is not within 1B to 1TiB");
  }

  @Test
  void readsChoicesBooleansListsAndPaths() {
    var mode = Setting.choice("on-stop", Mode.class).defaultsTo(Mode.LEAVE).because("what");
    assertThat(mode.parse("stop-all")).isEqualTo(Mode.STOP_ALL);
    assertThat(mode.defaultText()).isEqualTo("leave");
    assertThatThrownBy(() -> mode.parse("both")).hasMessage("is not one of stop-all, leave");

    var bool = Setting.bool("records").defaultsTo(true).because("whether");
    assertThat(bool.isSwitch()).isTrue();
    assertThat(bool.parse("off")).isFalse();
    assertThatThrownBy(() -> bool.parse("maybe")).hasMessage("is neither true nor false");

    var list = Setting.list("listen").defaultsTo(List.of("::1", "127.0.0.1")).because("where");
    assertThat(list.defaultText()).isEqualTo("::1,127.0.0.1");
    assertThat(list.parse("a, b")).containsExactly("a", "b");
    assertThatThrownBy(() -> list.parse("a,,b")).hasMessage("has an empty element");

    var path = Setting.path("state-dir").defaultsTo(() -> Path.of("/x"), "/x").because("where");
    assertThat(path.parse("/a/../b")).isEqualTo(Path.of("/b"));
    assertThat(path.parse("b")).isEqualTo(Path.of("b").toAbsolutePath());
    assertThatThrownBy(() -> path.parse("")).hasMessage("is empty");
  }

  @Test
  void optionalSettingIsAbsentUnlessSet() {
    var setting =
        Setting.integer("limit").between(1, 9).optional().because("a bound, where one is wanted");
    assertThat(setting.defaultValue()).isEmpty();
    assertThat(setting.defaultText()).isEqualTo("none");
    assertThat(setting.parse("9")).isEqualTo(Optional.of(9));
    assertThatThrownBy(() -> setting.parse("10")).hasMessage("is not within 1 to 9");
  }

  @Test
  void cannotBeMadeWithoutDefaultOrReason() {
    assertThatThrownBy(() -> Setting.text("x").because("why"))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> Setting.text("x").defaultsTo("y").because(" "))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> Setting.text("Not A Name"))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void timesHaveADefaultThatReadsWell() {
    assertThat(TIME.defaultText()).isEqualTo("5s");
    assertThat(SIZE.defaultText()).isEqualTo("2MiB");
  }
}

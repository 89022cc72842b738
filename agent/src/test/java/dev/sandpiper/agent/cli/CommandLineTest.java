package dev.sandpiper.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CommandLineTest {
  private static final Setting<Integer> PORT =
      Setting.integer("port").between(0, 65_535).defaultsTo(49_983).because("where to listen");
  private static final Setting<Boolean> RECORDS =
      Setting.bool("records").defaultsTo(true).because("whether output becomes records");
  private static final Setting<String> TOKEN =
      Setting.text("token").secret().defaultsTo("100% ${sys:user.home}").because("50% @of nothing");
  private static final Setting<String> NAME =
      Setting.text("name").defaultsTo("x").because("what it is called");
  private static final List<Setting<?>> SETTINGS = List.of(PORT, RECORDS, TOKEN, NAME);

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final List<Settings> served = new ArrayList<>();
  private final Program program =
      new Program(
          "1.2.3",
          SETTINGS,
          settings -> {
            served.add(settings);
            return 42;
          },
          (_, _, _) -> {});

  private int run(Map<String, String> environment, String... arguments) throws Exception {
    var console =
        new Console(new ByteArrayInputStream(new byte[0]), out, err, Console.Input.NOTHING, false);
    return new SandpiperCommand(program, environment, console).execute(List.of(arguments));
  }

  private String printed() {
    return out.toString(StandardCharsets.UTF_8);
  }

  private String complained() {
    return err.toString(StandardCharsets.UTF_8);
  }

  private Syntax.Parsed parse(Map<String, String> environment, String... arguments) {
    return new Syntax(program, environment).parse(List.of(arguments));
  }

  private RunOptions options(String... arguments) {
    return options(Map.of(), arguments);
  }

  private RunOptions options(Map<String, String> environment, String... arguments) {
    var line = new ArrayList<>(List.of("run"));
    line.addAll(List.of(arguments));
    var parsed = parse(environment, line.toArray(String[]::new));
    assertThat(parsed).isInstanceOf(Syntax.Run.class);
    return ((Syntax.Run) parsed).options();
  }

  @Test
  void serveHandsTheResolvedSettingsOver() throws Exception {
    assertThat(run(Map.of("SANDPIPER_RECORDS", "off"), "serve", "--port", "8080")).isEqualTo(42);
    assertThat(served).hasSize(1);
    assertThat(served.getFirst().get(PORT)).isEqualTo(8080);
    assertThat(served.getFirst().get(RECORDS)).isFalse();
    assertThat(printed() + complained()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "serve",
        "serve --port 1",
        "serve --port=1",
        "serve --port=",
        "serve --records",
        "serve --records --port 1",
        "serve --records=false --name=a=b",
        "serve --records off",
        "serve --name @file",
        "serve --name ${sys:user.home}"
      })
  void bothParsersOfServeReadTheSame(String line) {
    var arguments = line.split(" ");
    var quick = ServeArguments.parse(SETTINGS, List.of(arguments).subList(1, arguments.length));
    assertThat(quick).isPresent();
    assertThat(parse(Map.of(), arguments)).isEqualTo(new Syntax.Serve(quick.orElseThrow()));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "serve --help",
        "serve --nope",
        "serve --port",
        "serve --port -1",
        "serve --port 1 --port 2",
        "serve extra",
        "serve --port --records"
      })
  void quickParserLeavesTheRestToTheOther(String line) {
    var arguments = line.split(" ");
    assertThat(ServeArguments.parse(SETTINGS, List.of(arguments).subList(1, arguments.length)))
        .isEmpty();
  }

  @Test
  void badValueStopsTheStartAndNamesTheSetting() throws Exception {
    assertThat(run(Map.of(), "serve", "--port", "70000")).isEqualTo(2);
    assertThat(complained()).isEqualTo("sandpiper: --port: '70000' is not within 0 to 65535\n");
    assertThat(served).isEmpty();
  }

  @Test
  void valuesThatContradictEachOtherStopTheStartToo() throws Exception {
    var contradiction =
        new Program(
            "1",
            SETTINGS,
            _ -> {
              throw BadSettingException.of(PORT, "is in use");
            },
            (_, _, _) -> {});
    var console =
        new Console(new ByteArrayInputStream(new byte[0]), out, err, Console.Input.NOTHING, false);
    assertThat(new SandpiperCommand(contradiction, Map.of(), console).execute(List.of("serve")))
        .isEqualTo(2);
    assertThat(complained()).isEqualTo("sandpiper: --port: is in use\n");
  }

  @Test
  void unknownOptionsAndCommandsAreUsageErrors() throws Exception {
    assertThat(run(Map.of(), "serve", "--prot", "1")).isEqualTo(2);
    assertThat(complained()).startsWith("sandpiper: Unknown option").contains("serve --help");
    assertThat(run(Map.of(), "sevre")).isEqualTo(2);
    assertThat(run(Map.of())).isEqualTo(2);
    assertThat(run(Map.of(), "run")).isEqualTo(125);
    assertThat(run(Map.of(), "run", "--prot", "1", "--", "true")).isEqualTo(125);
    assertThat(printed()).isEmpty();
  }

  @Test
  void versionIsPrinted() throws Exception {
    for (var arguments : List.of("--version", "-V", "serve --version", "run --version")) {
      out.reset();
      assertThat(run(Map.of(), arguments.split(" "))).isZero();
      assertThat(printed()).matches("sandpiper 1\\.2\\.3 \\(Java 25\\S*, \\w+\\)\n");
    }
  }

  @Test
  void helpOfServeShowsEverySetting() throws Exception {
    assertThat(run(Map.of(), "serve", "--help")).isZero();
    var words = printed().replaceAll("\\s+", " ");
    for (var setting : SETTINGS) {
      assertThat(words)
          .contains(setting.writtenAs())
          .contains(setting.variable())
          .contains(setting.reason())
          .contains("default: " + setting.defaultText());
    }
  }

  @Test
  void aSecretOnTheCommandLineIsRefusedAndNotRepeated() throws Exception {
    for (var arguments :
        List.of("serve --token=hunter2", "serve --token hunter2", "serve --token")) {
      err.reset();
      assertThat(run(Map.of(), arguments.split(" "))).isEqualTo(ExitCode.USAGE);
      assertThat(complained()).contains("--token", "SANDPIPER_TOKEN").doesNotContain("hunter2");
    }
    assertThat(served).isEmpty();
  }

  @Test
  void helpOfRunAndOfTheWholeNameWhatThereIs() throws Exception {
    assertThat(run(Map.of(), "--help")).isZero();
    assertThat(printed()).contains("serve", "run");
    out.reset();
    assertThat(run(Map.of(), "run", "--help")).isZero();
    assertThat(printed())
        .contains("--url", "--user", "--cwd", "--env", "--timeout", "--stdin", "127", "COMMAND");
  }

  @Test
  void runTakesEverythingAfterTheCommandAsItIs() {
    assertThat(options("--", "ls", "-l", "--port", "--", "@x", "").command())
        .containsExactly("ls", "-l", "--port", "--", "@x", "");
    assertThat(options("ls", "--help").command()).containsExactly("ls", "--help");
    assertThat(options("--cwd", "/x", "sh", "-c", "echo ${sys:user.home}").command())
        .containsExactly("sh", "-c", "echo ${sys:user.home}");
  }

  @Test
  void runReadsItsOptions() {
    var options =
        options(
            Map.of("HERE", "yes"),
            "--url=http://box:1",
            "--user=ann",
            "--cwd",
            "~/x",
            "--env",
            "A=b=c",
            "--env",
            "HERE",
            "--env",
            "EMPTY=",
            "--tag",
            "t",
            "--timeout",
            "1500ms",
            "--stdin",
            "--events",
            "--",
            "x");
    assertThat(options.agent()).contains(new AgentUrl("box", 1));
    assertThat(options.user()).contains("ann");
    assertThat(options.cwd()).contains("~/x");
    assertThat(options.environment()).isEqualTo(Map.of("A", "b=c", "HERE", "yes", "EMPTY", ""));
    assertThat(options.tag()).contains("t");
    assertThat(options.timeLimit()).contains(Duration.ofMillis(1500));
    assertThat(options.stdin()).isTrue();
    assertThat(options.events()).isTrue();
    assertThat(options.records()).isFalse();
  }

  @Test
  void runFindsItsAgent() {
    assertThat(options("true").agent()).isEmpty();
    assertThat(options("true").usualAgent()).isEqualTo(AgentUrl.local(49_983));
    assertThat(options("--port", "7", "true").agent()).contains(AgentUrl.local(7));
    var environment = Map.of("SANDPIPER_URL", "http://box:9", "SANDPIPER_PORT", "10");
    assertThat(options(environment, "true").agent()).contains(new AgentUrl("box", 9));
    assertThat(options(environment, "true").usualAgent()).isEqualTo(AgentUrl.local(10));
    assertThat(options(environment, "--port", "7", "true").agent()).contains(AgentUrl.local(7));
    assertThat(options(environment, "--records", "true").agent()).isEqualTo(Optional.empty());
  }

  @Test
  void runSaysWhatIsWrongWithItsOptions() {
    assertThat(parse(Map.of(), "run", "--url=http://x", "--port=1", "x"))
        .isEqualTo(new Syntax.Wrong("--url and --port exclude each other", 125));
    assertThat(parse(Map.of(), "run", "--timeout=5", "x"))
        .extracting(wrong -> ((Syntax.Wrong) wrong).message())
        .asString()
        .startsWith("--timeout: '5' is not a length of time");
    assertThat(parse(Map.of(), "run", "--env=NOT_SET", "x"))
        .isEqualTo(new Syntax.Wrong("--env: NOT_SET is not set here", 125));
    assertThat(parse(Map.of(), "run", "--env==x", "x"))
        .isEqualTo(new Syntax.Wrong("--env: '=x' has no name", 125));
    assertThat(parse(Map.of(), "run", "--records", "--port=1", "x"))
        .extracting(wrong -> ((Syntax.Wrong) wrong).message())
        .asString()
        .startsWith("--records starts an agent of its own");
    assertThat(parse(Map.of("SANDPIPER_PORT", "x"), "run", "x"))
        .isEqualTo(new Syntax.Wrong("SANDPIPER_PORT: 'x' is not a whole number", 125));
  }

  @Test
  void unexpectedFailureOfTheDaemonIsNotSwallowed() {
    var broken =
        new Program(
            "1",
            SETTINGS,
            _ -> {
              throw new IllegalStateException("boom");
            },
            (_, _, _) -> {});
    var console =
        new Console(new ByteArrayInputStream(new byte[0]), out, err, Console.Input.NOTHING, false);
    assertThatThrownBy(
            () -> new SandpiperCommand(broken, Map.of(), console).execute(List.of("serve")))
        .hasMessage("boom");
  }
}

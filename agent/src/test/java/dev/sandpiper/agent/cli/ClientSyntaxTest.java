package dev.sandpiper.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.sandpiper.proto.v1.Level;
import dev.sandpiper.proto.v1.Scope;
import dev.sandpiper.proto.v1.Stream;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ClientSyntaxTest {
  private static final AgentOptions USUAL =
      new AgentOptions(AgentUrl.local(AgentUrl.DEFAULT_PORT), Optional.empty());
  private final Program program = new Program("1.2.3", List.of(), _ -> 0, (_, _, _) -> {});

  private Syntax.Parsed parse(String line) {
    return new Syntax(program, Map.of()).parse(List.of(line.split(" ")));
  }

  private ClientCommand command(String line) {
    var parsed = parse(line);
    assertThat(parsed).isInstanceOf(Syntax.Client.class);
    return ((Syntax.Client) parsed).command();
  }

  @Test
  void optionsMayFollowTheNameOfAProcess() {
    var logs = (LogsCommand) command("logs build --follow --tail 10 --stream stderr --port 77");
    assertThat(logs.name()).contains("build");
    assertThat(logs.query().getFollow()).isTrue();
    assertThat(logs.query().getTail()).isEqualTo(10);
    assertThat(logs.query().getStream()).isEqualTo(Stream.STREAM_STDERR);
    assertThat(logs.agent().url()).isEqualTo(AgentUrl.local(77));
  }

  @Test
  void whatIsAboutLinesIsNotServedFromBytes() {
    assertThat(((LogsCommand) command("logs p1 --tail 3 --follow --stream stdout")).raw()).isTrue();
    for (var option :
        List.of("--timestamps", "--since 5m", "--until 1h", "--search x", "--level warn")) {
      assertThat(((LogsCommand) command("logs p1 " + option)).raw()).as(option).isFalse();
    }
  }

  @Test
  void timesAreMomentsOrAgo() {
    var logs = (LogsCommand) command("logs --since 2026-01-02T03:04:05Z --until 10m --level Warn");
    assertThat(logs.query().getStartUs())
        .isEqualTo(Instant.parse("2026-01-02T03:04:05Z").getEpochSecond() * 1_000_000);
    assertThat(logs.query().getEndUs())
        .isCloseTo(
            Instant.now().minus(Duration.ofMinutes(10)).toEpochMilli() * 1000,
            within(Duration.ofMinutes(1).toNanos() / 1000));
    assertThat(logs.query().getLevel()).isEqualTo(Level.LEVEL_WARN);
    assertThat(logs.name()).isEmpty();
  }

  @Test
  void controlCommandsTakeSeveralProcesses() {
    assertThat(command("kill --signal hup --scope tree a 12"))
        .isEqualTo(new ControlCommands.Kill(USUAL, 1, Scope.SCOPE_TREE, List.of("a", "12")));
    assertThat(command("stop a --grace 0s"))
        .isEqualTo(
            new ControlCommands.Stop(
                USUAL, 15, Optional.of(Duration.ZERO), Scope.SCOPE_GROUP, List.of("a")));
    assertThat(command("wait a b --timeout 2s"))
        .isEqualTo(
            new ControlCommands.Wait(USUAL, Optional.of(Duration.ofSeconds(2)), List.of("a", "b")));
    assertThat(command("attach a --tail 5 --no-stdin"))
        .isEqualTo(new AttachCommand(USUAL, "a", 5, false));
    assertThat(command("ps --all --tag x --format json"))
        .isEqualTo(new PsCommand(USUAL, true, "x", true));
  }

  @Test
  void detachIsAStartOfItsOwn() {
    var detach =
        (DetachCommand) command("run --detach --key k --tag t --timeout 5s -- sh -c true --detach");
    assertThat(detach.request().getKey()).isEqualTo("k");
    var command = detach.request().getCommand();
    assertThat(command.getCmd()).isEqualTo("sh");
    assertThat(command.getArgsList()).containsExactly("-c", "true", "--detach");
    assertThat(command.getTimeLimitMs()).isEqualTo(5000);
    assertThat(command.getTag()).isEqualTo("t");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "kill|Missing required parameter",
        "kill a --signal NOPE|'NOPE' is no signal",
        "kill a --signal 65|from 1 to 64",
        "kill a --scope all|--scope: 'all'",
        "logs --tail 0|--tail: '0' is not at least 1",
        "logs --tail x|--tail: 'x' is no number",
        "logs --stream both|--stream: 'both'",
        "logs --level loud|--level: 'loud'",
        "logs --since yesterday|--since: 'yesterday'",
        "logs --since 2026-01-02T|--since: '2026-01-02T'",
        "logs --format xml|'xml' is not pretty",
        "logs a b|Unmatched argument",
        "ps --format xml|--format: 'xml'",
        "attach|Missing required parameter",
        "run --key k true|--key needs --detach",
        "run --detach --events true|--detach shows nothing",
        "completion tcsh|'tcsh' is not bash"
      })
  void complaintsNameWhatIsWrong(String line, String complaint) {
    assertThat(parse(line))
        .isInstanceOfSatisfying(
            Syntax.Wrong.class, wrong -> assertThat(wrong.message()).contains(complaint));
  }

  @ParameterizedTest
  @ValueSource(strings = {"bash", "zsh", "fish"})
  void completionKnowsCommandsAndOptions(String shell) {
    assertThat(parse("completion " + shell))
        .isInstanceOfSatisfying(
            Syntax.Text.class,
            script ->
                assertThat(script.text()).contains("sandpiper", "attach", "grace", "timestamps"));
  }
}

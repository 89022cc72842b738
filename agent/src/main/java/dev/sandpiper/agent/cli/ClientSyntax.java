package dev.sandpiper.agent.cli;

import static dev.sandpiper.agent.cli.Options.flag;
import static dev.sandpiper.agent.cli.Options.isSet;
import static dev.sandpiper.agent.cli.Options.text;
import static dev.sandpiper.agent.cli.Options.time;
import static dev.sandpiper.agent.cli.Options.value;
import static dev.sandpiper.agent.cli.Options.words;

import dev.sandpiper.proto.v1.Level;
import dev.sandpiper.proto.v1.LogQuery;
import dev.sandpiper.proto.v1.Scope;
import dev.sandpiper.proto.v1.Stream;
import java.nio.file.Path;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParseResult;

/// What may be written after `ps`, `logs`, `attach`, `kill`, `stop` and `wait`.
final class ClientSyntax {
  private static final String EXIT_CODES =
      "Exit code: 0; 1 when a process was not found or the agent refused; 125 when no agent answered.";
  private static final int TERM = 15;

  private final Options options;
  private final Program.LeftLogs leftLogs;

  ClientSyntax(Options options, Program.LeftLogs leftLogs) {
    this.options = options;
    this.leftLogs = leftLogs;
  }

  /// In the order of the help text.
  static List<CommandSpec> all() {
    return List.of(ps(), logs(), attach(), kill(), stop(), await(), completion());
  }

  /// Throws `IllegalArgumentException` naming the option that makes no sense.
  ClientCommand command(ParseResult result) {
    var name = result.commandSpec().name();
    return switch (name) {
      case "ps" ->
          new PsCommand(
              options.agent(result),
              isSet(result, "--all"),
              value(result, "--tag").orElse(""),
              tableOrJson(result));
      case "logs" -> logs(result);
      case "attach" ->
          new AttachCommand(
              options.agent(result),
              words(result).getFirst(),
              count(result, "--tail").orElse(0L),
              !isSet(result, "--no-stdin"));
      case "kill" ->
          new ControlCommands.Kill(
              options.agent(result), signal(result), scope(result), words(result));
      case "stop" ->
          new ControlCommands.Stop(
              options.agent(result),
              signal(result),
              time(result, "--grace"),
              scope(result),
              words(result));
      case "wait" ->
          new ControlCommands.Wait(options.agent(result), time(result, "--timeout"), words(result));
      default -> throw new IllegalArgumentException("there is no command " + name);
    };
  }

  private static CommandSpec ps() {
    var spec = client("ps", "List the processes of an agent.", "sandpiper ps [OPTIONS]");
    spec.addOption(flag("--all", "Finished ones too."));
    spec.addOption(text("--tag", "TEXT", "Only those with this tag."));
    spec.addOption(text("--format", "FORMAT", "table or json, one object per line."));
    return spec;
  }

  private static boolean tableOrJson(ParseResult result) {
    var format = value(result, "--format").orElse("table");
    if (!format.equals("table") && !format.equals("json")) {
      throw new IllegalArgumentException("--format: '" + format + "' is not table or json");
    }
    return format.equals("json");
  }

  private static CommandSpec logs() {
    var spec =
        client(
            "logs",
            "Show what a process printed, or the log of the whole sandbox.",
            "sandpiper logs [OPTIONS] [ID|PID|TAG]");
    spec.addOption(flag("--follow", "Go on with what is printed later, to the process's end."));
    spec.addOption(text("--tail", "LINES", "Only the last so many lines."));
    spec.addOption(
        text("--since", "TIME", "Only from this time on: 2026-01-02T03:04:05Z, or 10m for ago."));
    spec.addOption(text("--until", "TIME", "Only before this time."));
    spec.addOption(text("--stream", "NAME", "Only stdout, stderr or terminal."));
    spec.addOption(flag("--timestamps", "Put the time before each line of the raw format."));
    spec.addOption(
        text("--level", "LEVEL", "At least debug, info, warn or error; hides no output."));
    spec.addOption(text("--search", "TEXT", "Only lines that contain this text."));
    spec.addOption(
        text(
            "--format",
            "FORMAT",
            "pretty, raw or json, one object per line (default: pretty on a terminal, else raw)."));
    spec.addOption(
        text(
            "--state-dir",
            "PATH",
            "Read the state directory of an agent that is gone, line by line."));
    spec.addPositional(name("0..1", "The process; without, the whole sandbox."));
    spec.usageMessage()
        .footer(
            "",
            "Without an option that is about lines, the raw format is the process's bytes as they were",
            "printed, each stream to its own.",
            "",
            EXIT_CODES);
    return spec;
  }

  private ClientCommand logs(ParseResult result) {
    var query = LogQuery.newBuilder().setFollow(isSet(result, "--follow"));
    count(result, "--tail").ifPresent(query::setTail);
    moment(result, "--since").ifPresent(query::setStartUs);
    moment(result, "--until").ifPresent(query::setEndUs);
    value(result, "--stream").ifPresent(name -> query.setStream(stream(name)));
    value(result, "--level").ifPresent(name -> query.setLevel(level(name)));
    value(result, "--search").ifPresent(query::setSearch);
    var format = value(result, "--format").map(LogFormat::parse);
    var timestamps = isSet(result, "--timestamps");
    var raw =
        !timestamps
            && !query.hasStartUs()
            && !query.hasEndUs()
            && query.getSearch().isEmpty()
            && query.getLevelValue() == 0;
    var name = words(result).stream().findFirst();
    var state = value(result, "--state-dir");
    if (state.isPresent() && query.getFollow()) {
      throw new IllegalArgumentException(
          "--follow and --state-dir exclude each other: an agent that is gone prints nothing more");
    }
    return new LogsCommand(
        options.agent(result),
        state.map(path -> new LogsCommand.Left(Path.of(path), leftLogs)),
        name,
        query.build(),
        format,
        timestamps,
        raw);
  }

  private static Stream stream(String name) {
    return switch (name) {
      case "stdout" -> Stream.STREAM_STDOUT;
      case "stderr" -> Stream.STREAM_STDERR;
      case "terminal" -> Stream.STREAM_TERMINAL;
      default ->
          throw new IllegalArgumentException(
              "--stream: '" + name + "' is not stdout, stderr or terminal");
    };
  }

  private static Level level(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "debug" -> Level.LEVEL_DEBUG;
      case "info" -> Level.LEVEL_INFO;
      case "warn" -> Level.LEVEL_WARN;
      case "error" -> Level.LEVEL_ERROR;
      default ->
          throw new IllegalArgumentException(
              "--level: '" + name + "' is not debug, info, warn or error");
    };
  }

  /// Microseconds since 1970.
  private static Optional<Long> moment(ParseResult result, String option) {
    return value(result, option)
        .map(text -> {
          Instant moment;
          if (text.indexOf('T') > 0) {
            try {
              moment = Instant.parse(text);
            } catch (DateTimeParseException e) {
              throw new IllegalArgumentException(
                  option + ": '" + text + "' is no time such as 2026-01-02T03:04:05Z", e);
            }
          } else {
            moment = Instant.now().minus(time(result, option).orElseThrow());
          }
          return ChronoUnit.MICROS.between(Instant.EPOCH, moment);
        });
  }

  private static CommandSpec attach() {
    var spec =
        client(
            "attach",
            "Go on with a process that runs: its output, its input, its exit code.",
            "sandpiper attach [OPTIONS] ID|PID|TAG");
    spec.addOption(text("--tail", "LINES", "Begin with the last so many lines."));
    spec.addOption(flag("--no-stdin", "Pass no input on."));
    spec.addPositional(name("1", "The process."));
    spec.usageMessage()
        .footer(
            "",
            "Ctrl-C, and Ctrl-P Ctrl-Q on a terminal, only detach; the command goes on.",
            "",
            "Exit code: the command's own, as for run; 1 when it was not found.");
    return spec;
  }

  private static CommandSpec kill() {
    var spec =
        client(
            "kill",
            "Send processes a signal, without waiting for its effect.",
            "sandpiper kill [OPTIONS] ID|PID|TAG...");
    addSignal(spec);
    spec.addPositional(name("1..*", "The processes."));
    spec.usageMessage().footer("", EXIT_CODES);
    return spec;
  }

  private static CommandSpec stop() {
    var spec =
        client(
            "stop",
            "Stop processes: a signal, grace, then SIGKILL; says how each one ended.",
            "sandpiper stop [OPTIONS] ID|PID|TAG...");
    addSignal(spec);
    spec.addOption(text("--grace", "TIME", "Before SIGKILL (default: 5s)."));
    spec.addPositional(name("1..*", "The processes."));
    spec.usageMessage().footer("", EXIT_CODES);
    return spec;
  }

  private static void addSignal(CommandSpec spec) {
    spec.addOption(text("--signal", "NAME", "Such as HUP or 1 (default: TERM)."));
    spec.addOption(
        text(
            "--scope",
            "NAME",
            "leader, group, or tree: whatever it started, wherever that is (default: group)."));
  }

  private static int signal(ParseResult result) {
    return value(result, "--signal").map(SignalNumbers::parse).orElse(TERM);
  }

  private static Scope scope(ParseResult result) {
    var name = value(result, "--scope").orElse("group");
    return switch (name) {
      case "leader" -> Scope.SCOPE_LEADER;
      case "group" -> Scope.SCOPE_GROUP;
      case "tree" -> Scope.SCOPE_TREE;
      default ->
          throw new IllegalArgumentException(
              "--scope: '" + name + "' is not leader, group or tree");
    };
  }

  private static CommandSpec await() {
    var spec =
        client(
            "wait", "Wait until processes have ended.", "sandpiper wait [OPTIONS] ID|PID|TAG...");
    spec.addOption(text("--timeout", "TIME", "Give up after this time, with exit code 124."));
    spec.addPositional(name("1..*", "The processes."));
    spec.usageMessage()
        .footer(
            "", "Exit code: that of the last process named, as for run; 1 when one was not found.");
    return spec;
  }

  private static CommandSpec completion() {
    var spec = Syntax.command("completion", "Print a script that completes command lines.");
    spec.usageMessage()
        .customSynopsis("sandpiper completion bash|zsh|fish")
        .footer("", "For example: source <(sandpiper completion bash)");
    spec.addPositional(
        PositionalParamSpec.builder()
            .paramLabel("SHELL")
            .arity("1")
            .index("0")
            .required(true)
            .type(List.class)
            .auxiliaryTypes(String.class)
            .completionCandidates(Completion.SHELLS)
            .description("bash, zsh or fish.")
            .build());
    return spec;
  }

  private static CommandSpec client(String name, String description, String synopsis) {
    var spec = Syntax.command(name, description);
    spec.usageMessage().customSynopsis(synopsis);
    Options.addAgent(spec);
    return spec;
  }

  private static PositionalParamSpec name(String arity, String description) {
    return PositionalParamSpec.builder()
        .paramLabel("ID|PID|TAG")
        .arity(arity)
        .index(arity.endsWith("*") ? "0..*" : "0")
        .required(!arity.startsWith("0"))
        .type(List.class)
        .auxiliaryTypes(String.class)
        .description(description)
        .build();
  }

  /// A number of lines.
  private static Optional<Long> count(ParseResult result, String option) {
    return value(result, option)
        .map(text -> {
          try {
            var count = Long.parseLong(text);
            if (count > 0) {
              return count;
            }
          } catch (NumberFormatException e) {
            throw new IllegalArgumentException(option + ": '" + text + "' is no number", e);
          }
          throw new IllegalArgumentException(option + ": '" + text + "' is not at least 1");
        });
  }
}

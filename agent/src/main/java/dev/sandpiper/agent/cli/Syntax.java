package dev.sandpiper.agent.cli;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/// What may be written on the command line, by picocli. Built by hand rather than from annotations: that is quicker to
/// start, and the options of `serve` come from a list.
final class Syntax {
  private static final int WIDTH = 100;

  /// What was written.
  sealed interface Parsed {}

  /// `flags` by the settings' names.
  record Serve(Map<String, String> flags) implements Parsed {}

  record Run(RunOptions options) implements Parsed {}

  /// Any other command.
  record Client(ClientCommand command) implements Parsed {}

  /// A help text or the version, to be printed.
  record Text(String text) implements Parsed {}

  record Wrong(String message, int exitCode) implements Parsed {}

  // Only for how their values are written; not among the settings of `serve`.
  private static final Setting<Duration> TIME_LIMIT =
      Setting.time("timeout")
          .between(Duration.ofMillis(1), Duration.ofDays(100))
          .defaultsTo(Duration.ofMillis(1))
          .because("parses a time limit");

  private final Program program;
  private final Map<String, String> environment;
  private final Options options;

  Syntax(Program program, Map<String, String> environment) {
    this.program = program;
    this.environment = environment;
    this.options = new Options(environment);
  }

  Parsed parse(List<String> arguments) {
    var line = new CommandLine(root());
    line.setExpandAtFiles(false);
    line.setInterpolateVariables(false);
    // What follows a command to run is that command's.
    Objects.requireNonNull(line.getSubcommands().get("run")).setStopAtPositional(true);
    line.setUsageHelpWidth(WIDTH);
    try {
      var top = line.parseArgs(arguments.toArray(String[]::new));
      var result = top.hasSubcommand() ? top.subcommand() : top;
      var command = result.commandSpec().commandLine();
      if (result.isVersionHelpRequested() || top.isVersionHelpRequested()) {
        return new Text(
            "sandpiper "
                + program.version()
                + " (Java "
                + Runtime.version()
                + ", "
                + System.getProperty("os.arch")
                + ")");
      }
      if (result.isUsageHelpRequested() || !top.hasSubcommand()) {
        return arguments.isEmpty()
            ? new Wrong("no command\n\n" + line.getUsageMessage(Ansi.OFF), ExitCode.USAGE)
            : new Text(command.getUsageMessage(Ansi.OFF));
      }
      return switch (result.commandSpec().name()) {
        case "serve" -> serve(result);
        case "run" -> run(result);
        case "upgrade" -> upgrade(result);
        default -> client(result, line);
      };
    } catch (ParameterException e) {
      var spec = e.getCommandLine().getCommandSpec();
      var help = spec.qualifiedName() + " --help";
      return wrong(spec.name(), e.getMessage() + " (see " + help + ")");
    }
  }

  private static Wrong wrong(String command, String message) {
    return new Wrong(message, command.equals("run") ? ExitCode.AGENT : ExitCode.USAGE);
  }

  private CommandSpec root() {
    var root =
        command(
            "sandpiper",
            "The agent inside a sandbox: runs commands and loses none of their output.");
    root.addSubcommand("serve", serveSpec());
    root.addSubcommand("run", runSpec());
    ClientSyntax.all().forEach(spec -> root.addSubcommand(spec.name(), spec));
    root.addSubcommand("upgrade", UpgradeCommand.spec());
    return root;
  }

  static CommandSpec command(String name, String description) {
    var spec = CommandSpec.create().name(name);
    spec.usageMessage().description(description).width(WIDTH).optionListHeading("%nOptions:%n");
    spec.usageMessage().commandListHeading("%nCommands:%n").sortOptions(false);
    spec.addOption(
        OptionSpec.builder("-h", "--help").usageHelp(true).description("Show this text.").build());
    spec.addOption(
        OptionSpec.builder("-V", "--version")
            .versionHelp(true)
            .description("Show the version.")
            .build());
    return spec;
  }

  private CommandSpec serveSpec() {
    var spec =
        command("serve", "Be the agent: listen, run commands, print records on standard output.");
    var footer = new ArrayList<String>();
    footer.add("");
    footer.add(
        "Each option can also be set by the environment variable named with it; the option is taken");
    footer.add("before it.");
    footer.add("Sizes take B, KiB, MiB, GiB or TiB; times take ms, s, m, h or d.");
    footer.add("");
    footer.add(
        "Secrets, by the environment only, because a command line can be read by everybody:");
    for (var setting : program.settings()) {
      if (setting.secret()) {
        footer.add(
            "  %s  %s (default: %s)"
                .formatted(
                    setting.variable(), literal(setting.reason()), literal(setting.defaultText())));
        // Known, so that who tries gets the right answer, without the secret in it.
        spec.addOption(
            OptionSpec.builder(setting.flag())
                .hidden(true)
                .arity("0..1")
                .fallbackValue("")
                .type(String.class)
                .build());
      }
    }
    spec.usageMessage()
        .customSynopsis("sandpiper serve [OPTIONS]")
        .footer(footer.toArray(String[]::new));
    for (var setting : program.settings()) {
      if (setting.secret()) {
        continue;
      }
      var option =
          OptionSpec.builder(setting.flag())
              .paramLabel(setting.placeholder())
              .type(String.class)
              .description(describe(setting));
      spec.addOption(
          (setting.isSwitch() ? option.arity("0..1").fallbackValue("true") : option.arity("1"))
              .build());
    }
    return spec;
  }

  private static String describe(Setting<?> setting) {
    var range = setting.range().isEmpty() ? "" : setting.range() + "; ";
    return setting.reason()
        + " ("
        + range
        + "default: "
        + setting.defaultText()
        + "; "
        + setting.variable()
        + ")";
  }

  /// The footer is a format.
  private static String literal(String text) {
    return text.replace("%", "%%");
  }

  private Parsed serve(ParseResult result) {
    for (var setting : program.settings()) {
      if (setting.secret() && result.hasMatchedOption(setting.flag())) {
        return wrong(
            "serve",
            setting.flag()
                + ": a command line can be read by everybody; use the environment variable "
                + setting.variable());
      }
    }
    var flags = new HashMap<String, String>();
    for (var option : result.matchedOptions()) {
      String value = option.getValue();
      flags.put(option.longestName().substring(2), value);
    }
    return new Serve(flags);
  }

  private Parsed upgrade(ParseResult result) {
    try {
      var flags = new HashMap<String, String>();
      Options.value(result, "--state-dir").ifPresent(path -> flags.put("state-dir", path));
      var setting =
          program.settings().stream()
              .filter(each -> each.name().equals("state-dir"))
              .findFirst()
              .orElseThrow();
      var directory = (Path) Settings.resolve(List.of(setting), flags, environment).get(setting);
      var limit = Options.time(result, "--timeout").orElse(UpgradeCommand.USUAL_LIMIT);
      return new Client(new UpgradeCommand(directory, limit));
    } catch (BadSettingException | IllegalArgumentException e) {
      return wrong("upgrade", String.valueOf(e.getMessage()));
    }
  }

  private Parsed client(ParseResult result, CommandLine line) {
    try {
      return result.commandSpec().name().equals("completion")
          ? new Text(Completion.script(Options.words(result), line))
          : new Client(new ClientSyntax(options, program.leftLogs()).command(result));
    } catch (IllegalArgumentException e) {
      return wrong(result.commandSpec().name(), String.valueOf(e.getMessage()));
    }
  }

  private static CommandSpec runSpec() {
    var spec =
        command(
            "run",
            "Run a command on an agent as if it ran here: its output, input, signals and exit code.");
    spec.usageMessage()
        .footer(
            "",
            "Without --url, --port and SANDPIPER_URL, the agent on port SANDPIPER_PORT (default: "
                + AgentUrl.DEFAULT_PORT
                + ")",
            "of 127.0.0.1 is used or, when none answers there, one that is started for this command",
            "and stopped after it. To an agent that asks for an access token, the one in the variable",
            Options.TOKEN_VARIABLE + " or in the file is shown.",
            "",
            "Exit code: the command's own; 128+N when signal N ended it; 124 when the time limit",
            "elapsed; 125 when the agent failed or was not found; 126 when the command cannot be",
            "executed; 127 when it was not found.")
        .customSynopsis("sandpiper run [OPTIONS] [--] COMMAND [ARGUMENT...]");
    Options.addAgent(spec);
    spec.addOption(
        Options.text("--user", "NAME", "Run as this user (default: the agent's default user)."));
    spec.addOption(
        Options.text("--cwd", "PATH", "The command's directory (default: the home of its user)."));
    spec.addOption(
        OptionSpec.builder("--env")
            .paramLabel("NAME[=VALUE]")
            .arity("1")
            .type(List.class)
            .auxiliaryTypes(String.class)
            .description(
                "Set a variable for the command; without a value, the one that it has here.")
            .build());
    spec.addOption(
        Options.text("--tag", "TEXT", "A name by which the command can be found on the agent."));
    spec.addOption(
        Options.text("--timeout", "TIME", "Kill the command after this time, such as 30s."));
    spec.addOption(
        Options.flag(
            "--stdin",
            "Pass standard input on, also from a terminal; files and pipes always are."));
    spec.addOption(
        Options.flag(
            "--pty", "Run the command on a terminal of its own, such as a shell to type into."));
    spec.addOption(
        Options.flag(
            "--events", "Show every event of the call as it arrives, instead of the bare output."));
    spec.addOption(
        Options.flag(
            "--records", "Start an agent for this command, and show the records that it prints."));
    spec.addOption(
        Options.flag(
            "--detach",
            "Print the process's id and leave it to itself; the agent has to run already."));
    spec.addOption(
        Options.text(
            "--key",
            "TEXT",
            "With --detach: a second start with the same key prints the id of the first."));
    spec.addPositional(
        PositionalParamSpec.builder()
            .paramLabel("COMMAND")
            .arity("1..*")
            .type(List.class)
            .auxiliaryTypes(String.class)
            .description("The command and its arguments, best after --.")
            .build());
    return spec;
  }

  private Parsed run(ParseResult result) {
    try {
      var run = runOptions(result);
      var key = Options.value(result, "--key");
      if (!Options.isSet(result, "--detach")) {
        if (key.isPresent()) {
          throw new IllegalArgumentException("--key needs --detach");
        }
        return new Run(run);
      }
      if (run.records() || run.events()) {
        throw new IllegalArgumentException(
            "--detach shows nothing: neither --records nor --events");
      }
      return new Client(new DetachCommand(options.agent(result), run.detached(key.orElse(""))));
    } catch (IllegalArgumentException e) {
      return wrong("run", String.valueOf(e.getMessage()));
    }
  }

  private RunOptions runOptions(ParseResult result) {
    boolean records = result.matchedOptionValue("--records", false);
    var agent = options.namedAgent(result);
    if (records
        && (Options.value(result, "--url").isPresent()
            || Options.value(result, "--port").isPresent())) {
      throw new IllegalArgumentException(
          "--records starts an agent of its own; the records of another are on its standard output");
    }
    List<String> variables = result.matchedOptionValue("--env", List.of());
    List<String> command = result.matchedPositionalValue(0, List.of());
    return new RunOptions(
        records ? Optional.empty() : agent,
        options.usualAgent(),
        options.token(result),
        Options.value(result, "--user"),
        Options.value(result, "--cwd"),
        variables(variables, result.matchedOptionValue("--pty", false)),
        Options.value(result, "--tag"),
        Options.value(result, "--timeout").map(text -> Options.read(TIME_LIMIT, text, "--timeout")),
        result.matchedOptionValue("--stdin", false),
        result.matchedOptionValue("--pty", false),
        result.matchedOptionValue("--events", false),
        records,
        command);
  }

  private Map<String, String> variables(List<String> assignments, boolean terminal) {
    var variables = new LinkedHashMap<String, String>();
    if (terminal) {
      // What is shown here must understand what the command writes for it.
      variables.put("TERM", environment.getOrDefault("TERM", "xterm-256color"));
    }
    for (var assignment : assignments) {
      var equals = assignment.indexOf('=');
      if (equals == 0) {
        throw new IllegalArgumentException("--env: '" + assignment + "' has no name");
      }
      if (equals > 0) {
        variables.put(assignment.substring(0, equals), assignment.substring(equals + 1));
      } else if (environment.containsKey(assignment)) {
        variables.put(assignment, environment.getOrDefault(assignment, ""));
      } else {
        throw new IllegalArgumentException("--env: " + assignment + " is not set here");
      }
    }
    return variables;
  }
}

package dev.sandpiper.agent.cli;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Settings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The whole command line: `sandpiper COMMAND …`.
public final class SandpiperCommand {
  private final Program program;
  private final Map<String, String> environment;
  private final Console console;

  SandpiperCommand(Program program, Map<String, String> environment, Console console) {
    this.program = program;
    this.environment = environment;
    this.console = console;
  }

  /// Runs one command with this process's own streams and environment, and returns its exit code, which the caller
  /// passes to `System.exit`. What an unexpected failure throws, this throws.
  public static int execute(Program program, String... arguments) throws Exception {
    return execute(program, System.getenv(), arguments);
  }

  /// The same with variables in place of this process's environment.
  public static int execute(Program program, Map<String, String> environment, String... arguments)
      throws Exception {
    return new SandpiperCommand(program, environment, Console.system()).execute(List.of(arguments));
  }

  int execute(List<String> arguments) throws Exception {
    if (!arguments.isEmpty() && arguments.getFirst().equals("serve")) {
      var flags = ServeArguments.parse(program.settings(), arguments.subList(1, arguments.size()));
      if (flags.isPresent()) {
        return serve(flags.get());
      }
    }
    return switch (new Syntax(program, environment).parse(arguments)) {
      case Syntax.Serve(var flags) -> serve(flags);
      case Syntax.Run(var options) -> run(options);
      case Syntax.Client(var command) -> client(command);
      case Syntax.Text(var text) -> {
        console.print(text);
        yield ExitCode.OK;
      }
      case Syntax.Wrong(var message, var code) -> {
        console.complain(message);
        yield code;
      }
    };
  }

  private int serve(Map<String, String> flags) throws Exception {
    try {
      return program.serve().serve(Settings.resolve(program.settings(), flags, environment));
    } catch (BadSettingException e) {
      String.valueOf(e.getMessage()).lines().forEach(console::complain);
      return ExitCode.USAGE;
    }
  }

  /// `NO_COLOR`: see no-color.org.
  private boolean colour() {
    return console.outIsTerminal() && environment.getOrDefault("NO_COLOR", "").isEmpty();
  }

  private int client(ClientCommand command) {
    try {
      return command.run(new Screen(console, colour()));
    } catch (ApiException e) {
      console.complain(e.text());
      return ExitCode.FAILED;
    } catch (Display.OutputClosedException _) {
      return ExitCode.BROKEN_PIPE;
    } catch (IOException e) {
      console.complain(String.valueOf(e.getMessage()));
      return ExitCode.AGENT;
    }
  }

  private int run(RunOptions options) {
    var colour = colour();
    // Set by bin/sandpiper, which is also what starts another agent.
    var image =
        Optional.ofNullable(System.getProperty("sandpiper.home"))
            .map(home -> new OwnAgent.Place(Path.of(home, "bin", "sandpiper"), temporary()));
    var command = new RunCommand(options, console, image, colour);
    Signals.handle(command.signals()::accept);
    return command.run();
  }

  private Path temporary() {
    var named = environment.getOrDefault("TMPDIR", "");
    return Path.of(named.isEmpty() ? System.getProperty("java.io.tmpdir", "/tmp") : named);
  }
}

package dev.sandpiper.agent.cli;

import dev.sandpiper.agent.cli.Display.OutputClosedException;
import dev.sandpiper.proto.process.ProcessEvent;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// `sandpiper run`: starts a command on an agent and behaves as if it were that command: same output, same input, same
/// signals, same exit code.
final class RunCommand {
  private static final Duration PROBE_TIMEOUT = Duration.ofSeconds(2);
  private static final int NO_CONTENT = 204;

  private final RunOptions options;
  private final Console console;
  private final Optional<OwnAgent.Place> image;
  private final Display display;
  private final SignalForwarder signals;

  /// `image` is this program's own, for an agent of one's own.
  RunCommand(RunOptions options, Console console, Optional<OwnAgent.Place> image, boolean colour) {
    this.options = options;
    this.console = console;
    this.image = image;
    this.display = options.events() ? new Display.Live(console, colour) : new Display.Raw(console);
    this.signals = new SignalForwarder(console);
  }

  SignalForwarder signals() {
    return signals;
  }

  /// Runs to the end of the command; returns the program's exit code.
  int run() {
    try {
      var own = ownAgent();
      if (own == null) {
        return runOn(options.agent().orElse(options.usualAgent()), options.token());
      }
      int code;
      try (own) {
        code = runOn(own.url(), Optional.of(own.token()));
      }
      report("stopped");
      return code;
    } catch (OutputClosedException _) {
      return ExitCode.BROKEN_PIPE;
    } catch (IOException e) {
      console.complain(String.valueOf(e.getMessage()));
      return ExitCode.AGENT;
    }
  }

  // Null: an agent that runs already is used.
  private @Nullable OwnAgent ownAgent() throws IOException {
    if (options.agent().isPresent()) {
      return null;
    }
    if (!options.records() && answers(options.usualAgent())) {
      return null;
    }
    var place =
        image.orElseThrow(() ->
            new IOException(
                "no agent answers at "
                    + options.usualAgent()
                    + ", and one can be started only from an image (bin/sandpiper)"));
    Optional<Consumer<String>> records =
        options.records() ? Optional.of(this::record) : Optional.empty();
    report("starting " + place.program() + " serve");
    var began = System.nanoTime();
    var own = OwnAgent.start(place, records);
    report(
        "ready in "
            + Duration.ofNanos(System.nanoTime() - began).toMillis()
            + " ms at "
            + own.url()
            + ", pid "
            + own.pid());
    return own;
  }

  private boolean answers(AgentUrl url) throws IOException {
    int status;
    try {
      status = AgentClient.health(url, PROBE_TIMEOUT);
    } catch (IOException _) {
      return false; // the usual case where no agent runs: connection refused
    }
    if (status != NO_CONTENT) {
      throw new IOException(
          "what answers at "
              + url
              + " is no agent (HTTP status "
              + status
              + "); name one by --url");
    }
    return true;
  }

  private int runOn(AgentUrl url, Optional<String> token) throws IOException {
    var typed = options.terminal() && console.input() == Console.Input.TERMINAL;
    var withInput = options.stdin() || typed || console.input() == Console.Input.DATA;
    if (!typed) {
      return runOn(url, token, withInput, Terminal.Size.USUAL);
    }
    var size = Terminal.size();
    try (var _ = Terminal.raw()) {
      return runOn(url, token, withInput, size);
    }
  }

  private int runOn(AgentUrl url, Optional<String> token, boolean withInput, Terminal.Size size)
      throws IOException {
    // Input may wait for a command that does not read; signals have a connection of their own
    // beside it.
    try (var inputClient = new ProcessClient(url, token);
        var signalClient = new ProcessClient(url, token)) {
      signals.starting();
      try (var events =
          inputClient.start(
              options.request(withInput, size), options.user(), options.timeLimit())) {
        return follow(events, inputClient, signalClient, withInput);
      } catch (ApiException e) {
        return failed(e);
      } finally {
        signals.ended();
      }
    } catch (OutputClosedException e) {
      throw e;
    } catch (IOException e) {
      throw new IOException("lost the agent at " + url + ": " + e.getMessage(), e);
    }
  }

  private int follow(
      ProcessClient.Events events,
      ProcessClient inputClient,
      ProcessClient signalClient,
      boolean withInput)
      throws IOException, ApiException {
    var pid = 0;
    try {
      for (var next = events.next(); next.isPresent(); next = events.next()) {
        var event = next.get();
        display.event(event);
        if (event.hasStart()) {
          pid = event.getStart().getPid();
          var started = pid;
          signals.running(signal -> SignalForwarder.sendOrTerminate(signalClient, started, signal));
          if (options.terminal() && console.input() == Console.Input.TERMINAL) {
            Signals.handleResize(() -> resize(signalClient, started));
          }
          if (withInput) {
            new InputForwarder(inputClient, pid, options.terminal(), console).start();
          }
        } else if (event.hasEnd()) {
          return exitCode(event.getEnd());
        }
      }
    } catch (OutputClosedException e) {
      // As in a shell's pipeline: the writer to a pipe that nobody reads gets SIGPIPE.
      if (pid != 0) {
        SignalForwarder.sendOrTerminate(signalClient, pid, Signals.PIPE);
      }
      throw e;
    }
    throw new IOException("the call ended before the command did");
  }

  private void resize(ProcessClient client, int pid) {
    try {
      client.resize(pid, Terminal.size());
    } catch (IOException | ApiException e) {
      console.complain("the new size of the terminal was not passed on: " + e.getMessage());
    }
  }

  private int exitCode(ProcessEvent.EndEvent end) {
    if (end.getExited()) {
      return end.getExitCode();
    }
    var code = ExitCode.ofStatus(end.getStatus());
    if (code == ExitCode.AGENT) {
      console.complain("how the command ended is not known: " + end.getStatus());
    }
    return code;
  }

  private int failed(ApiException e) {
    if (options.timeLimit().isPresent() && e.code().equals("deadline_exceeded")) {
      console.complain("the time limit elapsed; the command was killed");
      return ExitCode.TIMEOUT;
    }
    console.complain(e.text());
    return switch (e.code()) {
      case "not_found" -> ExitCode.NOT_FOUND;
      case "permission_denied" -> ExitCode.NOT_EXECUTABLE;
      default -> ExitCode.AGENT;
    };
  }

  private void report(String what) throws OutputClosedException {
    if (options.events() || options.records()) {
      display.agent(what);
    }
  }

  // On the thread that reads the records; when nobody reads this program's output, the main thread
  // finds out too.
  private void record(String line) {
    try {
      display.record(line);
    } catch (OutputClosedException _) {
      // What is printed next on the main thread fails likewise and ends the run.
    }
  }
}

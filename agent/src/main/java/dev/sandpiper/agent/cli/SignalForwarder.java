package dev.sandpiper.agent.cli;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// Passes signals on to the process.
///
/// | State | a signal |
/// |---|---|
/// | nothing was started yet | ends this program |
/// | the start is under way | waits for the pid |
/// | running | goes to the process |
/// | ended | is dropped: this program is about to end |
final class SignalForwarder {
  private enum State {
    IDLE,
    STARTING,
    RUNNING,
    ENDED
  }

  private final Console console;
  private final Object lock = new Object();

  @GuardedBy("lock")
  private State state = State.IDLE;

  // Bounded by the human or supervisor who sends them during the milliseconds of a start.
  @GuardedBy("lock")
  private final List<Integer> waiting = new ArrayList<>();

  @GuardedBy("lock")
  private ProcessTarget target = _ -> {};

  /// Where signals go once the process runs.
  interface ProcessTarget {
    void send(int signal) throws IOException, ApiException;
  }

  SignalForwarder(Console console) {
    this.console = console;
  }

  void starting() {
    synchronized (lock) {
      state = State.STARTING;
    }
  }

  void running(ProcessTarget process) {
    List<Integer> early;
    synchronized (lock) {
      state = State.RUNNING;
      target = process;
      early = List.copyOf(waiting);
      waiting.clear();
    }
    early.forEach(signal -> send(process, signal));
  }

  void ended() {
    synchronized (lock) {
      state = State.ENDED;
    }
  }

  /// Called for each signal, on a thread that may wait for the agent's answer.
  void accept(int signal) {
    ProcessTarget process;
    synchronized (lock) {
      if (state == State.STARTING) {
        waiting.add(signal);
      }
      process =
          switch (state) {
            case IDLE -> number -> Runtime.getRuntime().exit(ExitCode.ofSignal(number));
            case RUNNING -> target;
            case STARTING, ENDED -> _ -> {};
          };
    }
    send(process, signal);
  }

  private void send(ProcessTarget process, int signal) {
    try {
      process.send(signal);
    } catch (ApiException e) {
      if (!e.code().equals("not_found")) {
        console.complain("signal " + signal + " was not passed on: " + e.text());
      }
    } catch (IOException e) {
      // Nobody is there to stop the command; staying would make this program unstoppable.
      console.complain("signal " + signal + " was not passed on: " + e.getMessage());
      Runtime.getRuntime().exit(ExitCode.ofSignal(signal));
    }
  }

  /// Sends `signal`, or SIGTERM to an agent that does not know it.
  static void sendOrTerminate(ProcessClient client, int pid, int signal)
      throws IOException, ApiException {
    try {
      client.sendSignal(pid, signal);
    } catch (ApiException e) {
      if (signal == Signals.TERM
          || !(e.code().equals("unimplemented") || e.code().equals("invalid_argument"))) {
        throw e;
      }
      client.sendSignal(pid, Signals.TERM);
    }
  }
}

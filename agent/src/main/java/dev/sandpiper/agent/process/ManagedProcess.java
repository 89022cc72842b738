package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.PtySize;
import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.posix.Errno;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/// One process, from its spawn to its end. Any thread may read it and ask things of it; its state moves on the pipe loop.
///
/// | from | event | to |
/// |---|---|---|
/// | RUNNING | the leader's wait status is known | EXITED |
/// | EXITED | every holder closed the streams, or the drain limit elapsed | ENDED |
///
/// No state is left again, and no state is skipped.
public final class ManagedProcess {
  /// Where a process is in its life.
  public enum State {
    /// The leader runs.
    RUNNING,
    /// The leader's wait status is known; its streams may still bring bytes.
    EXITED,
    /// Told to clients.
    ENDED
  }

  private final String processId;
  private final StartSpec spec;
  private final String userName;
  private final Instant startedAt;
  private final Child child;
  private final int pid;
  private final OutputLog log;
  private final InputQueue input;
  private final AtomicReference<State> state = new AtomicReference<>(State.RUNNING);
  private volatile @Nullable ProcessEnd end;
  private volatile EndCause intended = EndCause.EXIT;

  ManagedProcess(
      String processId,
      StartSpec spec,
      String userName,
      Instant startedAt,
      Child child,
      OutputLog log,
      InputQueue input) {
    this.processId = processId;
    this.spec = spec;
    this.userName = userName;
    this.startedAt = startedAt;
    this.child = child;
    this.pid = child.pid();
    this.log = log;
    this.input = input;
  }

  /// Our own id, never reused.
  public String processId() {
    return processId;
  }

  /// The kernel's id, reused after the end.
  public int pid() {
    return pid;
  }

  /// What was asked for.
  public StartSpec spec() {
    return spec;
  }

  /// The account it runs as.
  public String userName() {
    return userName;
  }

  /// When it was spawned.
  public Instant startedAt() {
    return startedAt;
  }

  /// Everything that it prints.
  public OutputLog log() {
    return log;
  }

  /// Where it is in its life.
  public State state() {
    return state.get();
  }

  /// How it ended; null until then.
  public @Nullable ProcessEnd end() {
    return end;
  }

  /// Whether it runs on a terminal.
  public boolean terminal() {
    return spec.stdio() instanceof Stdio.Terminal;
  }

  /// Whether its standard input can (still) be written to.
  public boolean acceptsInput() {
    return input.open();
  }

  /// Queues input; see {@link InputQueue#write}.
  public void write(byte[] bytes, InputCallback callback) {
    input.write(bytes, callback);
  }

  /// Closes standard input behind what is queued; returns at once, may be repeated.
  public void closeInput() {
    input.close();
  }

  /// Sets the size of the terminal. Returns what went wrong, in words; empty when nothing did.
  public Optional<String> resize(PtySize size) {
    return failure(child.resize(size));
  }

  /// Sends a signal for a caller of the API to the whole process group. Returns what went wrong, in words; empty when nothing
  /// did, and also when the process is ending at this moment, which is what signals are sent for.
  public Optional<String> signal(int signal) {
    int result = signal(signal, EndCause.SIGNAL);
    return result == -Errno.ESRCH ? Optional.empty() : failure(result);
  }

  private static Optional<String> failure(int result) {
    return result < 0 ? Optional.of(Errno.message(-result)) : Optional.empty();
  }

  /// 0, or a negative errno.
  int signal(int signal, EndCause cause) {
    if (state.get() == State.RUNNING) {
      // The first reason stays: what a caller sends after a time limit has struck did not end the
      // process.
      if (intended == EndCause.EXIT) {
        intended = cause;
      }
    }
    return child.signal(signal, Scope.GROUP);
  }

  Child child() {
    return child;
  }

  InputQueue input() {
    return input;
  }

  EndCause intended() {
    return intended;
  }

  void exited() {
    move(State.RUNNING, State.EXITED);
  }

  void ended(ProcessEnd how) {
    end = how;
    move(State.EXITED, State.ENDED);
  }

  private void move(State from, State to) {
    if (!state.compareAndSet(from, to)) {
      throw new IllegalStateException(
          "process " + processId + " cannot go from " + state.get() + " to " + to);
    }
  }

  @Override
  public String toString() {
    return processId + " (pid " + pid + ", " + state.get() + ")";
  }
}

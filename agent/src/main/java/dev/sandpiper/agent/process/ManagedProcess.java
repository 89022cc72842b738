package dev.sandpiper.agent.process;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.PtySize;
import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.tree.TreeRoot;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// One process, from its spawn to the day it is forgotten. Any thread may read it and ask things of it; its state moves on
/// the pipe loop.
///
/// | from | event | to |
/// |---|---|---|
/// | RUNNING | the leader's wait status is known | EXITED |
/// | EXITED | every holder closed the streams, or the drain limit elapsed | ENDED |
///
/// No state is left again, and no state is skipped. With ENDED it lets go of everything but its description, its log and its
/// end: 10,000 finished ones are kept. Those of an earlier agent are born in that state.
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

  /// Nobody's pid: then only the mark counts.
  private static final int NOBODY = -1;

  /// What only a live one has.
  private record Live(Child child, InputQueue input, StartSpec spec, SentSignals sent) {}

  private final Description description;
  private final OutputLog log;
  private final AtomicReference<State> state;
  private volatile Map<String, String> facts;
  private volatile @Nullable Live live;

  /// The leader's, kept past its end; 0 where it had ended before this agent started.
  private volatile long startTicks;

  private volatile @Nullable ProcessEnd end;
  private volatile long inputOffset;

  @GuardedBy("this")
  private @Nullable List<Runnable> atEnd;

  /// A live one.
  ManagedProcess(
      Description description, StartSpec spec, Child child, OutputLog log, InputQueue input) {
    this.description = description;
    this.log = log;
    this.facts = child.facts();
    this.live = new Live(child, input, spec, new SentSignals());
    this.state = new AtomicReference<>(State.RUNNING);
  }

  /// A finished one of an earlier agent.
  ManagedProcess(
      Description description,
      Map<String, String> facts,
      OutputLog log,
      ProcessEnd end,
      long inputOffset) {
    this.description = description;
    this.inputOffset = inputOffset;
    this.log = log;
    this.facts = Facts.withoutPlaces(facts);
    this.end = end;
    this.state = new AtomicReference<>(State.ENDED);
  }

  /// One of an agent that is gone, which had seen no end of it.
  static ManagedProcess unended(Description description, OutputLog log) {
    return new ManagedProcess(description, log);
  }

  private ManagedProcess(Description description, OutputLog log) {
    this.description = description;
    this.log = log;
    this.facts = Map.of();
    this.state = new AtomicReference<>(State.RUNNING);
  }

  /// Our own id, never reused. Ids sort by the time of the start.
  public String processId() {
    return description.processId();
  }

  /// The kernel's id, reused after the end; 0 where an agent was killed before it knew.
  public int pid() {
    return description.pid();
  }

  /// The command as it was asked for.
  public String cmd() {
    return description.cmd();
  }

  /// Its arguments.
  public List<String> args() {
    return description.args();
  }

  /// The client's command line, joined with spaces, for messages and records.
  public String commandLine() {
    return args().isEmpty() ? cmd() : cmd() + " " + String.join(" ", args());
  }

  /// Where it was started: an absolute path.
  public String cwd() {
    return description.cwd();
  }

  /// The account it runs as.
  public String userName() {
    return description.user();
  }

  /// The caller's own name for it.
  public Optional<String> tag() {
    return Optional.ofNullable(description.tag());
  }

  /// The caller's key for its start.
  public Optional<String> key() {
    return Optional.ofNullable(description.key());
  }

  /// How long it may live.
  public Optional<Duration> timeLimit() {
    long millis = description.timeLimitMillis();
    return millis == 0 ? Optional.empty() : Optional.of(Duration.ofMillis(millis));
  }

  /// Whether it runs on a terminal.
  public boolean terminal() {
    return description.terminal();
  }

  /// Whether it is forgotten soon after its end.
  public boolean ephemeral() {
    return description.ephemeral();
  }

  /// When it was spawned.
  public Instant startedAt() {
    return Instant.EPOCH.plus(description.startedAtMicros(), ChronoUnit.MICROS);
  }

  /// What was asked for; empty once it has ended. One that was taken over from an earlier agent has no environment there.
  public Optional<StartSpec> spec() {
    Live now = live;
    return now == null ? Optional.empty() : Optional.of(now.spec());
  }

  /// What is unusual about it, and what of it does not survive the agent. Mostly empty.
  public Map<String, String> facts() {
    Live now = live;
    if (now == null) {
      return facts;
    }
    Map<String, String> ofChild = Facts.withoutPlaces(now.child().facts());
    Map<String, String> ofInput = Facts.withoutPlaces(now.input().facts());
    if (ofInput.isEmpty()) {
      return ofChild;
    }
    Map<String, String> all = new HashMap<>(ofChild);
    all.putAll(ofInput);
    return all;
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

  /// Calls `then` once when this process has ended: on the pipe loop, or at once on this thread when it has. It must wait for
  /// nothing. Called off, it is let go of.
  public Cancellable whenEnded(Runnable then) {
    synchronized (this) {
      if (state.get() != State.ENDED) {
        List<Runnable> waiting = atEnd == null ? new ArrayList<>(1) : atEnd;
        atEnd = waiting;
        waiting.add(then);
        return () -> forget(then);
      }
    }
    then.run();
    return () -> {};
  }

  private synchronized void forget(Runnable then) {
    if (atEnd != null) {
      atEnd.remove(then);
    }
  }

  /// Whether its standard input can (still) be written to.
  public boolean acceptsInput() {
    Live now = live;
    return now != null && now.input().open();
  }

  /// Queues input; see {@link InputQueue#write}. Once it has ended the answer comes on this thread.
  public void write(byte[] bytes, InputCallback callback) {
    Live now = live;
    if (now == null) {
      callback.onOutcome(new InputOutcome.Closed());
    } else {
      now.input().write(bytes, callback);
    }
  }

  /// Queues input that belongs at an offset, or, without one, behind all that was written before; with `end` the input ends
  /// behind it. See {@link InputQueue#writeAt}. Once it has ended, what it has got before is still known.
  public void writeAt(OptionalLong offset, byte[] bytes, boolean end, InputCallback callback) {
    Live now = live;
    if (now != null) {
      now.input().writeAt(offset, bytes, end, callback);
      return;
    }
    long to = offset.orElse(inputOffset) + bytes.length;
    callback.onOutcome(
        to <= inputOffset
            ? new InputOutcome.Accepted(inputOffset, true)
            : new InputOutcome.Failed(0, "the process has ended"));
  }

  /// How much input the kernel has taken for it; 0 where it ended with the machine.
  public long inputOffset() {
    Live now = live;
    return now == null ? inputOffset : now.input().accepted();
  }

  /// Goes on with the input where an earlier agent was. Before anybody else knows of this process.
  void recoverInput() {
    Live now = live;
    if (now != null) {
      now.input().recover();
    }
  }

  /// Closes standard input behind what is queued; returns at once, may be repeated.
  public void closeInput() {
    Live now = live;
    if (now != null) {
      now.input().close();
    }
  }

  /// What names this process's tree, also when the process itself is gone. Of one that finished before this agent started,
  /// only what carries its mark can still be found.
  public TreeRoot treeRoot() {
    Live now = live;
    long ticks = now == null ? startTicks : now.child().identity().startTicks();
    Map<String, String> known = facts;
    List<String> outputs =
        Stream.of(Child.FIFO_STDOUT, Child.FIFO_STDERR, Child.FIFO_PTY)
            .map(known::get)
            .filter(Objects::nonNull)
            .toList();
    int leader = pid() == 0 ? NOBODY : pid();
    return new TreeRoot(processId(), leader, ticks, outputs);
  }

  /// Sets the size of the terminal. Returns what went wrong, in words; empty when nothing did.
  public Optional<String> resize(PtySize size) {
    Live now = live;
    return failure(now == null ? -Errno.ESRCH : now.child().resize(size));
  }

  /// Sends a signal for a caller of the API to the whole process group. Returns what went wrong, in words; empty when nothing
  /// did, and also when the process is ending at this moment, which is what signals are sent for.
  public Optional<String> signal(int signal) {
    return signal(signal, Scope.GROUP);
  }

  /// The same to the group or to the leader alone.
  public Optional<String> signal(int signal, Scope scope) {
    int result = signal(signal, scope, EndCause.SIGNAL);
    return result == -Errno.ESRCH ? Optional.empty() : failure(result);
  }

  private static Optional<String> failure(int result) {
    return result < 0 ? Optional.of(Errno.message(-result)) : Optional.empty();
  }

  /// 0, or a negative errno: `-ESRCH` when it has ended.
  int signal(int signal, Scope scope, EndCause cause) {
    Live now = live;
    if (now == null) {
      return -Errno.ESRCH;
    }
    sending(signal, cause);
    return now.child().signal(signal, scope);
  }

  /// Somebody is about to send it a signal in another way than by {@link #signal}.
  void sending(int signal, EndCause cause) {
    Live now = live;
    if (now != null && state.get() == State.RUNNING) {
      now.sent().sending(signal, cause);
    }
  }

  /// Who sent the signal that ended it.
  EndCause causeOf(int signal) {
    Live now = live;
    return now == null ? EndCause.EXIT : now.sent().causeOf(signal);
  }

  Description description() {
    return description;
  }

  void exited() {
    move(State.RUNNING, State.EXITED);
  }

  /// Publishes the end. Returns who is to be told, once it is marked in the log too.
  List<Runnable> ended(ProcessEnd how) {
    Live was = live;
    if (was != null) {
      startTicks = was.child().identity().startTicks();
    }
    end = how;
    List<Runnable> waiting;
    synchronized (this) {
      move(State.EXITED, State.ENDED);
      waiting = atEnd == null ? List.of() : atEnd;
      atEnd = null;
    }
    facts = facts();
    inputOffset = was == null ? 0 : was.input().accepted();
    live = null;
    if (was != null) {
      was.input().dispose();
    }
    return waiting;
  }

  private void move(State from, State to) {
    if (!state.compareAndSet(from, to)) {
      throw new IllegalStateException(
          "process " + processId() + " cannot go from " + state.get() + " to " + to);
    }
  }

  @Override
  public String toString() {
    return processId() + " (pid " + pid() + ", " + state.get() + ")";
  }
}

package dev.sandpiper.agent.process;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.accounts.UnknownUserException;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.ChildOutput;
import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.launch.LaunchException;
import dev.sandpiper.agent.launch.LaunchSpec;
import dev.sandpiper.agent.launch.Launcher;
import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.FdWatch;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.OutputSource;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.output.PipeLoop;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.telemetry.MetricSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Starts processes, knows the live ones, and establishes how each one ends.
///
/// A process is *live* from its spawn to its end; only live processes are listed, signalled and written to. It leaves
/// the registry before its end is published, so whoever has seen the end does not find it in a list.
///
/// Ends: the pidfd becomes readable → the wait status is peeked at, the leader stays a zombie so that its group id
/// cannot be reused → what is readable is drained → every stream closed, or the drain limit elapsed → the leader is
/// reaped, the end is journalled, unregistered, and marked in the log, where every reader finds it behind the last byte.
public final class ProcessManager {
  private static final Logger LOG = LoggerFactory.getLogger("process");
  private static final Set<StreamName> PIPES = Set.of(StreamName.STDOUT, StreamName.STDERR);
  private static final Set<StreamName> TERMINAL = Set.of(StreamName.PTY);
  private static final int SIGTERM = 15;
  private static final int SIGKILL = 9;

  private final ProcessSettings settings;
  private final Accounts accounts;
  private final Launcher launcher;
  private final OutputStore store;
  private final PipeLoop loop;
  private final Journal journal;
  private final Supplier<String> ids;
  private final InstantSource clock;
  private final EnvironmentRules environmentRules;
  private final List<ProcessListener> listeners;
  private final RetainedEnds retained;
  private final ByteBuffer inputCopyBuffer = ByteBuffer.allocateDirect(InputQueue.COPY_BYTES);
  private final Map<Integer, ManagedProcess> live = new ConcurrentHashMap<>();
  private final ProcessCounters counters = new ProcessCounters();
  private volatile boolean stopping;

  /// What the manager works with.
  ///
  /// @param accounts whom and where a request means
  /// @param launcher spawns
  /// @param store keeps output
  /// @param loop the pipe loop
  /// @param journal remembers lives across agents
  /// @param ids makes process ids
  /// @param clock tells the time
  public record Parts(
      Accounts accounts,
      Launcher launcher,
      OutputStore store,
      PipeLoop loop,
      Journal journal,
      Supplier<String> ids,
      InstantSource clock) {}

  /// A manager without processes.
  ///
  /// @param agentEnvironment the agent's own environment, of which commands get `PATH`
  /// @param ownVariables variables of every command that nobody but the request can change
  /// @param listeners told of every start and end, in this order
  public ProcessManager(
      ProcessSettings settings,
      Parts parts,
      Map<String, String> agentEnvironment,
      Map<String, String> ownVariables,
      List<ProcessListener> listeners) {
    this.settings = settings;
    this.accounts = parts.accounts();
    this.launcher = parts.launcher();
    this.store = parts.store();
    this.loop = parts.loop();
    this.journal = parts.journal();
    this.ids = parts.ids();
    this.clock = parts.clock();
    this.environmentRules = new EnvironmentRules(agentEnvironment, ownVariables);
    this.listeners = List.copyOf(listeners);
    this.retained =
        new RetainedEnds(
            settings.retainedEnds(), settings.retainEnds().toNanos(), System::nanoTime);
  }

  /// Starts a process. The callback runs on the calling thread when `here` is true and the process runs under the
  /// agent's own identity, else on the spawner thread; in a refusal before the spawn always on the calling thread.
  ///
  /// @param here whether the calling thread may spend the tenth of a millisecond that a spawn takes
  public void start(StartSpec spec, boolean here, StartCallback callback) {
    LaunchSpec launch;
    try {
      launch = prepare(spec);
    } catch (StartRefused refused) {
      callback.onRefused(counted(refused));
      return;
    }
    if (here && launcher.canLaunchHere(launch)) {
      Child child;
      try {
        child = launcher.launchHere(launch);
      } catch (LaunchException failure) {
        callback.onRefused(counted(refused(failure)));
        return;
      }
      adopt(spec, launch, child, callback);
      return;
    }
    launcher.launch(
        launch,
        new Launcher.LaunchCallback() {
          @Override
          public void onLaunched(Child child) {
            adopt(spec, launch, child, callback);
          }

          @Override
          public void onFailed(LaunchException failure) {
            callback.onRefused(counted(refused(failure)));
          }
        });
  }

  private LaunchSpec prepare(StartSpec spec) throws StartRefused {
    if (stopping) {
      throw new StartRefused(StartRefused.Reason.STOPPING, "the agent is stopping");
    }
    User user;
    String cwd;
    try {
      user = accounts.user(spec.user());
      cwd = accounts.resolve(spec.cwd().orElse(""), user);
    } catch (UnknownUserException unknown) {
      throw new StartRefused(StartRefused.Reason.UNKNOWN_USER, unknown.getMessage());
    } catch (BadPathException bad) {
      throw new StartRefused(StartRefused.Reason.INVALID, bad.getMessage());
    }
    return new LaunchSpec(
        ids.get(),
        spec.cmd(),
        spec.args(),
        environmentRules.environment(
            user, accounts.defaults().now().variables(), spec.environment()),
        cwd,
        user,
        spec.stdio());
  }

  private StartRefused counted(StartRefused refused) {
    counters.refused(refused.reason());
    return refused;
  }

  private static StartRefused refused(LaunchException failure) {
    StartRefused.Reason reason =
        switch (failure.reason()) {
          case COMMAND_NOT_FOUND -> StartRefused.Reason.COMMAND_NOT_FOUND;
          case COMMAND_NOT_EXECUTABLE -> StartRefused.Reason.COMMAND_NOT_EXECUTABLE;
          case BAD_CWD -> StartRefused.Reason.BAD_CWD;
          case USER_SWITCH_DENIED -> StartRefused.Reason.USER_DENIED;
          case INVALID -> StartRefused.Reason.INVALID;
          case RESOURCES -> StartRefused.Reason.RESOURCES;
          case INTERNAL -> StartRefused.Reason.INTERNAL;
        };
    String message = failure.getMessage();
    return new StartRefused(reason, message == null ? reason.name() : message);
  }

  /// The spawn has succeeded: from here on the process is ours, whatever happens.
  private void adopt(StartSpec spec, LaunchSpec launch, Child child, StartCallback callback) {
    ManagedProcess process;
    try {
      process = register(spec, launch, child);
    } catch (RuntimeException e) {
      LOG.error("a process that was spawned could not be kept; it is killed", e);
      child.signal(SIGKILL, Scope.GROUP);
      child.close();
      callback.onRefused(
          counted(
              new StartRefused(StartRefused.Reason.INTERNAL, "the process was not kept: " + e)));
      return;
    }
    callback.onStarted(process);
  }

  private ManagedProcess register(StartSpec spec, LaunchSpec launch, Child child) {
    Instant now = clock.instant();
    boolean terminal = spec.stdio() instanceof Stdio.Terminal;
    OutputLog log = store.create(launch.processId(), terminal ? TERMINAL : PIPES);
    ManagedProcess process =
        new ManagedProcess(
            launch.processId(),
            spec,
            launch.user().name(),
            now,
            child,
            log,
            new InputQueue(child, loop, settings, inputCopyBuffer, counters));
    retained.taken(process.pid(), spec.tag());
    live.put(process.pid(), process);
    counters.started();
    remember(JournalEntries.started(process, launch.cwd()));
    for (ProcessListener listener : listeners) {
      listener.onStarted(process);
    }
    attach(process);
    return process;
  }

  /// A journal that cannot be written costs what a restart of the agent would know, never a command.
  private void remember(JournalEntry entry) {
    try {
      journal.append(entry);
    } catch (IOException e) {
      LOG.error(
          "process {} will not be known after a restart: {}", entry.processId(), e.getMessage());
    }
  }

  private void attach(ManagedProcess process) {
    Child child = process.child();
    OutputLog log = process.log();
    switch (child.output()) {
      case ChildOutput.Pipes(int stdout, int stderr) -> {
        log.attach(
            StreamName.STDOUT,
            new OutputSource.Pipe(stdout, () -> child.outputDrained(Child.FIFO_STDOUT)));
        log.attach(
            StreamName.STDERR,
            new OutputSource.Pipe(stderr, () -> child.outputDrained(Child.FIFO_STDERR)));
      }
      case ChildOutput.Terminal(int master, int fifoRead, int fifoWrite) ->
          log.attach(
              StreamName.PTY,
              new OutputSource.Terminal(
                  master, fifoRead, fifoWrite, () -> child.outputDrained(Child.FIFO_PTY)));
    }
    ProcessLife life = new ProcessLife(process);
    loop.execute(life::begin);
  }

  /// A live process.
  public Optional<ManagedProcess> find(Selector selector) {
    return switch (selector) {
      case Selector.ByPid(int pid) -> Optional.ofNullable(live.get(pid));
      case Selector.ByTag(String tag) -> byTag(tag);
    };
  }

  /// Of several live processes with the same tag, the one started last.
  private Optional<ManagedProcess> byTag(String tag) {
    ManagedProcess newest = null;
    for (ManagedProcess process : live.values()) {
      if (process.spec().tag().filter(tag::equals).isPresent()
          && (newest == null || newest.processId().compareTo(process.processId()) < 0)) {
        newest = process;
      }
    }
    return Optional.ofNullable(newest);
  }

  /// The end of a process that is no longer live, for as long as it is retained.
  public Optional<RetainedEnd> findEnded(Selector selector) {
    return retained.find(selector);
  }

  /// Numbers of starts, ends and input.
  public MetricSource metrics() {
    return counters;
  }

  /// The live processes, in no order.
  public Collection<ManagedProcess> list() {
    return List.copyOf(live.values());
  }

  /// Refuses new starts and stops every live process: SIGTERM to its group, SIGKILL after the grace. Returns when all
  /// have ended, or a little after the grace at the latest. Blocks; not for event loops.
  public void stop() throws InterruptedException {
    stopping = true;
    signalAll(SIGTERM);
    long deadline = System.nanoTime() + settings.stopGrace().toNanos();
    if (awaitNone(deadline)) {
      return;
    }
    signalAll(SIGKILL);
    if (!awaitNone(System.nanoTime() + settings.drainLimit().plusSeconds(1).toNanos())) {
      LOG.warn("processes that did not end although killed: {}", new ArrayList<>(live.values()));
    }
  }

  private void signalAll(int signal) {
    for (ManagedProcess process : live.values()) {
      process.signal(signal, EndCause.AGENT_STOP);
    }
  }

  private boolean awaitNone(long deadlineNanos) throws InterruptedException {
    synchronized (live) {
      while (!live.isEmpty()) {
        long left = deadlineNanos - System.nanoTime();
        if (left <= 0) {
          return false;
        }
        live.wait(Math.max(1, left / 1_000_000));
      }
    }
    return true;
  }

  /// What happens to one process after its start. Lives on the pipe loop.
  private final class ProcessLife {
    private final ManagedProcess process;
    private @Nullable FdWatch exitWatch;
    private @Nullable Cancellable timeLimit;
    private @Nullable Cancellable drainLimit;
    private @Nullable Exit exit;

    ProcessLife(ManagedProcess process) {
      this.process = process;
    }

    void begin() {
      process.log().onDrained(this::drained);
      exitWatch = loop.watch(process.child().pidfd(), this::exitReadable);
      process
          .spec()
          .timeLimit()
          .ifPresent(limit -> {
            Duration left = limit.minus(Duration.between(process.startedAt(), clock.instant()));
            timeLimit =
                loop.schedule(this::timeLimitElapsed, left.isNegative() ? Duration.ZERO : left);
          });
    }

    private void timeLimitElapsed() {
      if (process.state() != ManagedProcess.State.ENDED) {
        process.signal(SIGKILL, EndCause.TIME_LIMIT);
      }
    }

    private void exitReadable() {
      Exit peeked = process.child().peekExit();
      if (peeked == null || exit != null) {
        return;
      }
      exit = peeked;
      if (exitWatch != null) {
        exitWatch.close();
      }
      process.exited();
      process.log().drainNow();
      if (process.log().drained()) {
        end();
      } else if (process.state() == ManagedProcess.State.EXITED) {
        drainLimit = loop.schedule(this::end, settings.drainLimit());
      }
    }

    private void drained() {
      if (exit != null && process.state() == ManagedProcess.State.EXITED) {
        end();
      } else if (process.state() == ManagedProcess.State.ENDED) {
        release();
      }
    }

    private void end() {
      if (process.state() != ManagedProcess.State.EXITED) {
        return; // drained and the drain limit came in the same turn
      }
      cancel(drainLimit);
      cancel(timeLimit);
      OutputLog log = process.log();
      if (!log.drained()) {
        log.drainNow();
      }
      Exit how = process.child().reap();
      ProcessEnd end =
          new ProcessEnd(
              how,
              causeOf(how),
              clock.instant(),
              bytes(log, StreamName.STDOUT),
              bytes(log, StreamName.STDERR),
              bytes(log, StreamName.PTY));
      remember(JournalEntries.ended(process, end));
      unregister(end);
      counters.ended(end.cause());
      process.ended(end);
      process.input().fail("the process has ended");
      log.markEnd();
      for (ProcessListener listener : listeners) {
        listener.onEnded(process, end);
      }
      if (log.drained()) {
        release();
      }
    }

    private void unregister(ProcessEnd end) {
      retained.add(new RetainedEnd(process.processId(), process.pid(), process.spec().tag(), end));
      live.remove(process.pid(), process);
      if (stopping) {
        synchronized (live) {
          live.notifyAll();
        }
      }
    }

    private EndCause causeOf(Exit how) {
      return switch (how) {
        case Exit.Exited _ -> EndCause.EXIT;
        case Exit.Signaled _ -> process.intended();
        case Exit.Lost _ -> EndCause.LOST;
      };
    }

    /// Ended and drained: nothing more can come.
    private void release() {
      process.log().finish();
      process.child().close();
    }

    private static void cancel(@Nullable Cancellable timer) {
      if (timer != null) {
        timer.cancel();
      }
    }

    private static long bytes(OutputLog log, StreamName stream) {
      return log.streams().contains(stream) ? log.endOffset(stream) : 0;
    }
  }
}

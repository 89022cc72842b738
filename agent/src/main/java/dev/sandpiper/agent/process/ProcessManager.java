package dev.sandpiper.agent.process;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.accounts.UnknownUserException;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.journal.Bytes;
import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.ChildOutput;
import dev.sandpiper.agent.launch.EarlierChild;
import dev.sandpiper.agent.launch.LaunchException;
import dev.sandpiper.agent.launch.LaunchSpec;
import dev.sandpiper.agent.launch.Launcher;
import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.OutputSource;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.output.PipeLoop;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.telemetry.MetricSource;
import dev.sandpiper.agent.tree.ProcessTrees;
import dev.sandpiper.agent.tree.TreeSettings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Starts processes, knows the live and the finished ones, and tells how each one ended.
///
/// A process is *live* from its spawn to its end; only live processes are found by pid or tag, signalled and written to. It
/// leaves the live ones before its end is published, so whoever has seen the end does not find it there. Finished ones are
/// known by id, until they are deleted or more than {@link dev.sandpiper.agent.output.OutputSettings#finishedProcesses}
/// are newer.
///
/// An end is journalled, the process is no longer live, the end is published, and marked in the log, where every reader
/// finds it behind the last byte; in this order.
public final class ProcessManager {
  private static final Logger LOG = LoggerFactory.getLogger("process");
  static final Set<StreamName> PIPES = Set.of(StreamName.STDOUT, StreamName.STDERR);
  static final Set<StreamName> TERMINAL = Set.of(StreamName.PTY);
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
  private final ProcessTrees trees;
  private final RetainedEnds retained;
  private final ByteBuffer inputCopyBuffer = ByteBuffer.allocateDirect(InputQueue.COPY_BYTES);
  private final Registry registry = new Registry();
  private final Keeping keeping;
  private final Object noneLive = new Object();
  private final ProcessCounters counters = new ProcessCounters();
  private volatile boolean stopping;
  private volatile boolean handedDown;

  /// What the manager works with.
  ///
  /// @param accounts whom and where a request means
  /// @param launcher spawns
  /// @param store keeps output
  /// @param loop the pipe loop
  /// @param journal remembers lives across agents
  /// @param ids makes process ids
  /// @param clock tells the time
  /// @param trees how trees are kept together
  public record Parts(
      Accounts accounts,
      Launcher launcher,
      OutputStore store,
      PipeLoop loop,
      Journal journal,
      Supplier<String> ids,
      InstantSource clock,
      TreeSettings trees) {}

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
    this.trees = new ProcessTrees(parts.trees(), this::runs);
    this.retained =
        new RetainedEnds(
            settings.retainedEnds(), settings.retainEnds().toNanos(), System::nanoTime);
    this.keeping = new Keeping(launcher.keeper(), loop);
    store.onEvicted(this::evicted);
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
    String processId = ids.get();
    return new LaunchSpec(
        processId,
        spec.cmd(),
        spec.args(),
        environmentRules.environment(
            user, accounts.defaults().now().variables(), spec.environment(), processId),
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
    trees.started(launch.processId(), child.pid());
    boolean terminal = spec.stdio() instanceof Stdio.Terminal;
    Description description =
        new Description(
            launch.processId(),
            child.pid(),
            spec.cmd(),
            spec.args(),
            launch.cwd(),
            launch.user().name(),
            spec.tag().orElse(null),
            spec.key().orElse(null),
            Bytes.EMPTY,
            terminal,
            spec.ephemeral(),
            spec.timeLimit().map(Duration::toMillis).orElse(0L),
            JournalEntries.micros(clock.instant()));
    OutputLog log = store.create(launch.processId(), terminal ? TERMINAL : PIPES);
    ManagedProcess process = live(description, spec, child, log);
    retained.taken(process.pid(), process.tag());
    registry.addLive(process);
    counters.started();
    remember(JournalEntries.started(description, child));
    for (ProcessListener listener : listeners) {
      listener.onStarted(process);
    }
    begin(process, child);
    return process;
  }

  private ManagedProcess live(Description description, StartSpec spec, Child child, OutputLog log) {
    return new ManagedProcess(
        description,
        spec,
        child,
        log,
        new InputQueue(child, loop, settings, inputCopyBuffer, counters, keeping::flush));
  }

  /// A journal that cannot be written costs what a restart of the agent would know, never a command.
  private void remember(JournalEntry entry) {
    try {
      journal.append(entry);
    } catch (IOException e) {
      LOG.error(
          "process {} will not be known rightly after a restart: {}",
          entry.processId(),
          e.getMessage());
    }
  }

  /// Its output goes into its log from now on, and its exit is waited for.
  private void begin(ManagedProcess process, Child child) {
    OutputLog log = process.log();
    ChildOutput output = child.output();
    loop.execute(() -> keeping.keep(child)); // before anything below can close what is to be kept
    switch (output) {
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
    ProcessLife life =
        new ProcessLife(process, child, loop, clock, settings.drainLimit(), this::ended);
    loop.execute(life::begin);
  }

  /// The one place where a process ends. On the pipe loop.
  private void ended(ManagedProcess process, ProcessEnd end) {
    remember(JournalEntries.ended(process, end));
    retained.add(new RetainedEnd(process.processId(), process.pid(), process.tag(), end));
    registry.ended(process);
    trees.ended(process.processId());
    counters.ended(end.cause());
    List<Runnable> waiting = process.ended(end);
    process.log().markEnd();
    for (ProcessListener listener : listeners) {
      listener.onEnded(process, end);
    }
    for (Runnable then : waiting) {
      try {
        then.run();
      } catch (RuntimeException failure) {
        LOG.error("process {}: what follows its end failed", process.processId(), failure);
      }
    }
    if (stopping) {
      synchronized (noneLive) {
        noneLive.notifyAll();
      }
    }
  }

  /// Knows again what an earlier agent left: finished processes with their ends and logs, and, as far as they can be taken over,
  /// those that have no end. Once, before the first start; what was printed by nobody that the journal names is kept too.
  ///
  /// @param entries the journal's, oldest first
  public void recover(List<JournalEntry> entries) {
    Recovery recovery = Recovery.of(entries);
    for (Recovery.Finished finished : recovery.finished()) {
      recover(finished);
    }
    Adoption adoption = new Adoption(this, launcher, store);
    recovery.unended().forEach(adoption::adopt);
    store.recoverRest();
    if (adoption.adopted() > 0) {
      LOG.info("{} processes of an earlier agent are taken over", adoption.adopted());
    }
    loop.execute(() -> {
      keeping.flush(); // what was taken over is held from here on, and the rest may go
      launcher.keeper().releaseUnclaimed();
    });
  }

  /// Which processes of a journal may have to be taken over, for
  /// {@link dev.sandpiper.agent.launch.PosixLauncher#open}.
  ///
  /// @param entries the journal's, oldest first
  public static Collection<EarlierChild> earlier(List<JournalEntry> entries) {
    return Adoption.candidates(entries);
  }

  /// For {@link Adoption}: it is over, and nobody can know how.
  void lost(Recovery.Unended unended, String why) {
    JournalEntry.Started started = unended.started();
    JournalEntry.Ended ended = JournalEntries.lost(started.processId(), why, clock.instant());
    remember(ended);
    recover(new Recovery.Finished(started, ended, unended.position()));
  }

  private void recover(Recovery.Finished finished) {
    JournalEntry.Ended ended = finished.ended();
    OutputLog log =
        store.recover(
            ended.processId(), JournalEntries.streamBytes(ended), ended.index().toArray());
    JournalEntry.Started started = finished.started();
    if (started == null) {
      return;
    }
    ProcessEnd end = JournalEntries.end(ended);
    ManagedProcess process =
        new ManagedProcess(JournalEntries.description(started), started.facts(), log, end);
    registry.addFinished(process);
    for (ProcessListener listener : listeners) {
      listener.onRecovered(process, finished.position());
    }
  }

  /// For {@link Adoption}: a process of an earlier agent is this one's from now on, as if it had been started here.
  ///
  /// @param log opened again, with its streams open as far as `child` still has them
  ManagedProcess takeOver(
      JournalEntry.Started started,
      Child child,
      OutputLog log,
      JournalEntry.@Nullable EmitterPosition position) {
    ManagedProcess process =
        live(
            JournalEntries.description(started),
            JournalEntries.spec(started, child.facts().containsKey(Child.FIFO_STDIN)),
            child,
            log);
    process.recoverInput();
    if (child.facts().containsKey(Child.LOST)) {
      remember(started);
    }
    registry.addLive(process);
    counters.started();
    for (ProcessListener listener : listeners) {
      listener.onRecovered(process, position);
    }
    begin(process, child);
    return process;
  }

  /// A finished process had to make room. On the pipe loop.
  private void evicted(String processId) {
    registry.remove(processId);
    remember(new JournalEntry.Deleted(processId));
  }

  /// Forgets a finished process: its journal entries count no more, its files go at once, and its readers are told of a gap.
  /// What a background child of it still prints is lost. Any thread.
  public DeleteOutcome delete(String processId) {
    Optional<ManagedProcess> found = registry.get(processId);
    if (found.isEmpty()) {
      return DeleteOutcome.UNKNOWN;
    }
    if (found.get().state() != ManagedProcess.State.ENDED) {
      return DeleteOutcome.LIVE;
    }
    if (registry.remove(processId) == null) {
      return DeleteOutcome.UNKNOWN;
    }
    remember(new JournalEntry.Deleted(processId));
    found.get().log().delete();
    return DeleteOutcome.DELETED;
  }

  /// A process, live or finished.
  public Optional<ManagedProcess> get(String processId) {
    return registry.get(processId);
  }

  /// Every process that is known, oldest first; a view that follows what happens.
  public Collection<ManagedProcess> all() {
    return registry.all();
  }

  /// Those that were started after the one of this id, which need not be known any more.
  public Collection<ManagedProcess> after(String processId) {
    return registry.after(processId);
  }

  /// A live process.
  public Optional<ManagedProcess> find(Selector selector) {
    return registry.findLive(selector);
  }

  /// The end of a process that is no longer live, for as long as it is retained.
  public Optional<RetainedEnd> findEnded(Selector selector) {
    return retained.find(selector);
  }

  /// What commands have started, and how to end all of it; a root is {@link ManagedProcess#treeRoot}.
  public ProcessTrees trees() {
    return trees;
  }

  private boolean runs(int pid) {
    return registry.findLive(new Selector.ByPid(pid)).isPresent();
  }

  /// Numbers of starts, ends and input.
  public MetricSource metrics() {
    return counters;
  }

  /// The live processes, in no order.
  public Collection<ManagedProcess> list() {
    return List.copyOf(registry.live());
  }

  /// Ends one process for a caller: `signal`, and SIGKILL when the grace is over; with a grace of zero SIGKILL at once. Goes on
  /// when the caller does not wait. Any thread.
  ///
  /// @param callback told once, on the pipe loop: when the process has ended, at once if it had, or when a signal failed
  public void stop(
      ManagedProcess process,
      int signal,
      Duration grace,
      Scope scope,
      Consumer<StopOutcome> callback) {
    new Stopping(process, scope, loop, callback).begin(signal, grace);
  }

  /// Refuses new starts, and leaves or stops every live process, as the setting has it. Blocks; not for event loops.
  public void stop() throws InterruptedException {
    if (handedDown) {
      return;
    }
    stopping = true;
    if (settings.onStop() == OnStop.STOP) {
      endAll();
    }
    closeKeeper(_ -> {});
  }

  /// Refuses new starts and leaves every live process to the agent that takes this one's place. Blocks; not for event loops.
  /// {@link #stop} has nothing left to do then.
  ///
  /// @return the keeper's sockets by name, close-on-exec; whoever has them has what the processes need
  public Map<String, Integer> handDown() throws InterruptedException {
    stopping = true;
    handedDown = true;
    Map<String, Integer> sockets = new HashMap<>();
    closeKeeper(sockets::putAll);
    return sockets;
  }

  private void closeKeeper(Consumer<Map<String, Integer>> sockets) throws InterruptedException {
    boolean survivors = !registry.live().isEmpty();
    CountDownLatch kept = new CountDownLatch(1);
    loop.execute(() -> { // behind what the last starts have handed over
      keeping.flush();
      sockets.accept(survivors ? launcher.keeper().handDown() : Map.of());
      launcher.keeper().close(survivors);
      kept.countDown();
    });
    if (!kept.await(1, TimeUnit.SECONDS)) {
      LOG.warn("the pipe loop did not come to the keeper within a second");
    }
  }

  /// SIGTERM to the groups, SIGKILL after the grace. Returns when all have ended, or a little after the grace at the latest.
  private void endAll() throws InterruptedException {
    signalAll(SIGTERM);
    long deadline = System.nanoTime() + settings.stopGrace().toNanos();
    if (awaitNone(deadline)) {
      return;
    }
    signalAll(SIGKILL);
    if (!awaitNone(System.nanoTime() + settings.drainLimit().plusSeconds(1).toNanos())) {
      LOG.warn("processes that did not end although killed: {}", new ArrayList<>(registry.live()));
    }
  }

  private void signalAll(int signal) {
    for (ManagedProcess process : registry.live()) {
      process.signal(signal, Scope.GROUP, EndCause.AGENT_STOP);
    }
  }

  private boolean awaitNone(long deadlineNanos) throws InterruptedException {
    synchronized (noneLive) {
      while (!registry.live().isEmpty()) {
        long left = deadlineNanos - System.nanoTime();
        if (left <= 0) {
          return false;
        }
        noneLive.wait(Math.max(1, left / 1_000_000));
      }
    }
    return true;
  }
}

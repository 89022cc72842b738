package dev.sandpiper.agent.process;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.journal.Journal;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.ChildOutput;
import dev.sandpiper.agent.launch.EarlierChild;
import dev.sandpiper.agent.launch.Keeper;
import dev.sandpiper.agent.launch.Launcher;
import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.OutputSource;
import dev.sandpiper.agent.output.OutputStore;
import dev.sandpiper.agent.output.PipeLoop;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.telemetry.MetricSource;
import dev.sandpiper.agent.tree.ProcessTrees;
import dev.sandpiper.agent.tree.TreeOutcome;
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
  private static final Set<StreamName> PIPES = Set.of(StreamName.STDOUT, StreamName.STDERR);
  private static final Set<StreamName> TERMINAL = Set.of(StreamName.PTY);
  private static final int SIGTERM = 15;
  private static final int SIGKILL = 9;

  private final ProcessSettings settings;
  private final Launcher launcher;
  private final OutputStore store;
  private final PipeLoop loop;
  private final Journal journal;
  private final InstantSource clock;
  private final StartKeys keys = new StartKeys();
  private final Starts starts;
  private final EphemeralEnds ephemeralEnds;
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
    this.launcher = parts.launcher();
    this.store = parts.store();
    this.loop = parts.loop();
    this.journal = parts.journal();
    this.clock = parts.clock();
    this.listeners = List.copyOf(listeners);
    this.trees =
        new ProcessTrees(
            parts.trees(), pid -> runs(pid) || launcher.isOwn(pid), launcher.orphansSince());
    this.retained =
        new RetainedEnds(
            settings.retainedEnds(), settings.retainEnds().toNanos(), System::nanoTime);
    this.keeping = new Keeping(launcher.keeper(), loop);
    this.ephemeralEnds = new EphemeralEnds(loop, System::nanoTime, this::delete);
    this.starts =
        new Starts(
            parts,
            new EnvironmentRules(agentEnvironment, ownVariables),
            counters,
            keys,
            new Kept());
    store.onEvicted(this::evicted);
  }

  /// Starts a process, or finds the one that the same request with the same key has made. The callback runs on the calling
  /// thread when `here` is true and the process runs under the agent's own identity, else on the spawner thread; for
  /// a caller whose key is being started on the thread that does; in a refusal before the spawn on the calling thread.
  ///
  /// @param here whether the calling thread may spend the tenth of a millisecond that a spawn takes
  public void start(StartSpec spec, boolean here, StartCallback callback) {
    starts.start(spec, here, callback);
  }

  private final class Kept implements Starts.Keeper {
    @Override
    public ManagedProcess register(Description description, StartSpec spec, Child child) {
      trees.started(description.processId(), child.pid());
      OutputLog log =
          store.create(description.processId(), description.terminal() ? TERMINAL : PIPES);
      ManagedProcess process = live(description, spec, child, log);
      retained.taken(process.pid(), process.tag());
      registry.addLive(process);
      counters.started();
      ProcessManager.this.remember(JournalEntries.started(description, child));
      for (ProcessListener listener : listeners) {
        listener.onStarted(process);
      }
      begin(process, child);
      return process;
    }

    @Override
    public void remember(JournalEntry entry) {
      ProcessManager.this.remember(entry);
    }

    @Override
    public void beforeSpawn() {
      keeping.ready();
    }

    @Override
    public boolean stopping() {
      return stopping;
    }
  }

  private ManagedProcess live(Description description, StartSpec spec, Child child, OutputLog log) {
    return new ManagedProcess(
        description,
        spec,
        child,
        log,
        new InputQueue(child, loop, settings, inputCopyBuffer, counters));
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
    attach(process.log(), child);
    ProcessLife life =
        new ProcessLife(process, child, loop, clock, settings.drainLimit(), this::ended);
    loop.execute(life::begin);
  }

  private static void attach(OutputLog log, Child child) {
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
    if (process.ephemeral()) {
      ephemeralEnds.add(process.processId());
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
      keeping.hold(); // what was taken over, from here on; the rest may go
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
    JournalEntry.Started started = finished.started();
    Map<StreamName, Long> bytes = JournalEntries.streamBytes(ended);
    byte[] index = ended.index().toArray();
    if (started == null) {
      store.recover(ended.processId(), bytes, index);
      return;
    }
    boolean leftSomebody = launcher.keeper().holds(Adoption.earlier(started));
    OutputLog log =
        leftSomebody
            ? store.adoptEnded(ended.processId(), streamsOf(started), bytes, index)
            : store.recover(ended.processId(), bytes, index);
    ProcessEnd end = JournalEntries.end(ended);
    ManagedProcess process =
        new ManagedProcess(
            JournalEntries.description(started), started.facts(), log, end, ended.inputOffset());
    registry.addFinished(process);
    keys.recovered(process);
    retainAgain(process, end);
    if (process.ephemeral()) {
      loop.execute(() -> ephemeralEnds.add(process.processId()));
    }
    for (ProcessListener listener : listeners) {
      listener.onRecovered(process, finished.position());
    }
    if (leftSomebody) {
      goOnReading(launcher.adopt(Adoption.earlier(started)), log);
    }
  }

  /// A client that connects late knows nothing of a restart. Ends come in their order.
  private void retainAgain(ManagedProcess process, ProcessEnd end) {
    long ago = Duration.between(end.at(), clock.instant()).toMillis();
    if (process.pid() != 0 && ago <= settings.retainEnds().toMillis()) {
      retained.add(
          new RetainedEnd(process.processId(), process.pid(), process.tag(), end),
          TimeUnit.MILLISECONDS.toNanos(ago));
    }
  }

  /// A background child of a finished process may still print.
  private void goOnReading(Child child, OutputLog log) {
    child.closeInput();
    attach(log, child);
    loop.execute(() ->
        log.onDrained(() -> {
          log.finish();
          child.close();
        }));
  }

  static Set<StreamName> streamsOf(JournalEntry.Started started) {
    return started.pty() ? TERMINAL : PIPES;
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
    keys.recovered(process);
    counters.started();
    for (ProcessListener listener : listeners) {
      listener.onRecovered(process, position);
    }
    begin(process, child);
    return process;
  }

  /// A finished process had to make room. On the pipe loop.
  private void evicted(String processId) {
    ManagedProcess gone = registry.remove(processId);
    if (gone != null) {
      keys.forget(gone);
    }
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
    keys.forget(found.get());
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

  /// Sends a signal to the whole tree of a process for a caller of the API, and with SIGKILL pursues it. Blocks; not for event
  /// loops. Also for what a process left behind that has ended.
  public TreeOutcome signalTree(ManagedProcess process, int signal) throws InterruptedException {
    process.sending(signal, EndCause.SIGNAL);
    return trees.signal(process.treeRoot(), signal);
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
    CountDownLatch kept = new CountDownLatch(1);
    loop.execute(() -> { // where what ends lets go of it
      Keeper keeper = launcher.keeper();
      // Left running are also background children of what has ended.
      boolean survivors =
          (handedDown || settings.onStop() == OnStop.LEAVE)
              ? keeper.holdsAnything()
              : !registry.live().isEmpty();
      sockets.accept(survivors ? keeper.handDown() : Map.of());
      keeper.close(survivors);
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

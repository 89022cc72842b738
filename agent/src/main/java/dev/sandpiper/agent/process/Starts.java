package dev.sandpiper.agent.process;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.accounts.UnknownUserException;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.journal.Bytes;
import dev.sandpiper.agent.journal.JournalEntry;
import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.LaunchException;
import dev.sandpiper.agent.launch.LaunchSpec;
import dev.sandpiper.agent.launch.Launcher;
import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.posix.Signals;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// From a request to a child, once per key.
///
/// A start with a key is announced in the journal right before the spawn, with the places of its descriptors: an agent that is
/// killed between announcement and entry leaves what its successor takes for that process ({@link Intents}), so the key still
/// means one.
final class Starts {
  private static final Logger LOG = LoggerFactory.getLogger("process");

  /// What a start needs of the one who keeps processes.
  interface Keeper {
    /// The spawn has succeeded: from here on the process is kept, whatever happens.
    ManagedProcess register(Description description, StartSpec spec, Child child);

    void remember(JournalEntry entry);

    /// A command is about to be spawned.
    void beforeSpawn();

    /// Whether nothing is started any more.
    boolean stopping();
  }

  private final Accounts accounts;
  private final Launcher launcher;
  private final EnvironmentRules environment;
  private final Supplier<String> ids;
  private final InstantSource clock;
  private final ProcessCounters counters;
  private final StartKeys keys;
  private final Keeper keeper;

  Starts(
      ProcessManager.Parts parts,
      EnvironmentRules environment,
      ProcessCounters counters,
      StartKeys keys,
      Keeper keeper) {
    this.accounts = parts.accounts();
    this.launcher = parts.launcher();
    this.ids = parts.ids();
    this.clock = parts.clock();
    this.environment = environment;
    this.counters = counters;
    this.keys = keys;
    this.keeper = keeper;
  }

  void start(StartSpec spec, boolean here, StartCallback callback) {
    if (spec.key().isEmpty()) {
      spawn(spec, Bytes.EMPTY, here, callback);
      return;
    }
    String key = spec.key().get();
    Bytes fingerprint = Fingerprint.of(spec);
    switch (keys.claim(key, fingerprint, callback)) {
      case StartKeys.Claim.First _ -> spawn(spec, fingerprint, here, new Keyed(key, callback));
      case StartKeys.Claim.Waits _ -> {}
      case StartKeys.Claim.Existing(ManagedProcess process) -> callback.onExisting(process);
      case StartKeys.Claim.Refused(StartRefused why) -> callback.onRefused(counted(why));
    }
  }

  /// The first of several callers with one key; tells the others too.
  private final class Keyed implements StartCallback {
    private final String key;
    private final StartCallback first;

    Keyed(String key, StartCallback first) {
      this.key = key;
      this.first = first;
    }

    @Override
    public void onStarted(ManagedProcess process) {
      var waiting = keys.started(key, process);
      first.onStarted(process);
      waiting.forEach(other -> other.onExisting(process));
    }

    @Override
    public void onRefused(StartRefused refused) {
      var waiting = keys.failed(key);
      first.onRefused(refused);
      waiting.forEach(other -> other.onRefused(refused));
    }
  }

  private void spawn(StartSpec spec, Bytes fingerprint, boolean here, StartCallback callback) {
    LaunchSpec launch;
    try {
      launch = prepare(spec);
    } catch (StartRefused refused) {
      callback.onRefused(counted(refused));
      return;
    }
    boolean keyed = fingerprint.size() > 0;
    Consumer<Map<String, String>> announce =
        facts -> {
          if (keyed) {
            keeper.remember(JournalEntries.intent(describe(spec, launch, fingerprint, 0), facts));
          }
        };
    keeper.beforeSpawn();
    if (here && launcher.canLaunchHere(launch)) {
      Child child;
      try {
        child = launcher.launchHere(launch, announce);
      } catch (LaunchException failure) {
        failed(launch, keyed, refused(failure), callback);
        return;
      }
      keep(spec, launch, fingerprint, child, callback);
      return;
    }
    launcher.launch(
        launch,
        new Launcher.LaunchCallback() {
          @Override
          public void onPrepared(Map<String, String> facts) {
            announce.accept(facts);
          }

          @Override
          public void onLaunched(Child child) {
            keep(spec, launch, fingerprint, child, callback);
          }

          @Override
          public void onFailed(LaunchException failure) {
            failed(launch, keyed, refused(failure), callback);
          }
        });
  }

  private void failed(
      LaunchSpec launch, boolean keyed, StartRefused refused, StartCallback callback) {
    if (keyed) {
      keeper.remember(new JournalEntry.Deleted(launch.processId()));
    }
    callback.onRefused(counted(refused));
  }

  private void keep(
      StartSpec spec, LaunchSpec launch, Bytes fingerprint, Child child, StartCallback callback) {
    ManagedProcess process;
    try {
      process = keeper.register(describe(spec, launch, fingerprint, child.pid()), spec, child);
    } catch (RuntimeException e) {
      LOG.error("a process that was spawned could not be kept; it is killed", e);
      child.signal(Signals.SIGKILL, Scope.GROUP);
      child.close();
      StartRefused why =
          new StartRefused(StartRefused.Reason.INTERNAL, "the process was not kept: " + e);
      failed(launch, fingerprint.size() > 0, why, callback);
      return;
    }
    callback.onStarted(process);
  }

  private Description describe(StartSpec spec, LaunchSpec launch, Bytes fingerprint, int pid) {
    return new Description(
        launch.processId(),
        pid,
        spec.cmd(),
        spec.args(),
        launch.cwd(),
        launch.user().name(),
        spec.tag().orElse(null),
        spec.key().orElse(null),
        fingerprint,
        spec.stdio() instanceof Stdio.Terminal,
        spec.ephemeral(),
        spec.timeLimit().map(Duration::toMillis).orElse(0L),
        JournalEntries.micros(clock.instant()));
  }

  private LaunchSpec prepare(StartSpec spec) throws StartRefused {
    if (keeper.stopping()) {
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
        environment.environment(
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
}

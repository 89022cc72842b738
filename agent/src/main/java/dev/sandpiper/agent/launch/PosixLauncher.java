package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.launch.LaunchException.Reason;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.posix.Spawn;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Starts children with posix_spawn(3) through the foreign function interface.
///
/// A start, in order: check the request; take prepared FIFOs (or open a terminal) and give them to the user; take the
/// user's identity where it is another; look for the program with that user's eyes; spawn; take the own identity back;
/// close the child's ends; open the pidfd; set priorities. The pid is known about 0.1 ms after the call.
public final class PosixLauncher implements Launcher {
  private static final String SHELL = "/bin/sh";

  /// Descriptors the agent should have left before it keeps many FIFOs ready.
  private static final long PLENTY_OF_DESCRIPTORS = 1024;

  private static final List<String> FIFOS =
      List.of(Child.FIFO_STDIN, Child.FIFO_STDOUT, Child.FIFO_STDERR, Child.FIFO_PTY);

  private static final ThreadLocal<Spawn> SPAWN = ThreadLocal.withInitial(Spawn::new);

  private final User self;
  private final int ownGid = Tasks.getegid();
  private final Set<Integer> ownGroups =
      Arrays.stream(Tasks.getgroups()).boxed().collect(Collectors.toUnmodifiableSet());
  private final boolean canSwitch;
  private final int ttyGid;
  private final int devNull;
  private final OpenFileLimit openFiles;
  private final FifoPool fifos;
  private final Priorities priorities = new Priorities();
  private final StartTimes startTimes = new StartTimes();
  private final ChildRegistry registry;
  private final long orphansSince;
  private final @Nullable OrphanReaper orphans;
  private final SpawnerThread spawner;
  private final Keeper keeper;
  private final Inherited inherited;

  /// Prepares everything that starts need: raises the limit on open files, picks the FIFO directory and cleans it of
  /// earlier runs (except what `stillNeeded` says by path), starts the spawner. Throws `UnsupportedOperationException`
  /// on a system whose C library cannot start children, and `UncheckedIOException` where no directory can be made.
  public static PosixLauncher open(
      Users users, Path stateDirectory, String run, Predicate<String> stillNeeded) {
    return open(users, stateDirectory, run, stillNeeded, List.of(), Inherited.NOTHING);
  }

  /// The same after an earlier agent: what it left is there for {@link #adopt}.
  ///
  /// @param earlier processes that may have to be taken over, of this boot
  /// @param inherited descriptors handed down by the agent that this one replaces
  public static PosixLauncher open(
      Users users,
      Path stateDirectory,
      String run,
      Collection<EarlierChild> earlier,
      Inherited inherited) {
    Set<String> paths = new HashSet<>();
    for (EarlierChild child : earlier) {
      for (String key : FIFOS) {
        String path = child.facts().get(key);
        if (path != null) {
          paths.add(path);
          paths.add(path + ChildDescriptors.ENDED);
          paths.add(path + Child.INPUT_SUFFIX);
        }
      }
    }
    return open(users, stateDirectory, run, paths::contains, earlier, inherited);
  }

  private static PosixLauncher open(
      Users users,
      Path stateDirectory,
      String run,
      Predicate<String> stillNeeded,
      Collection<EarlierChild> earlier,
      Inherited inherited) {
    Spawn.unsupported()
        .ifPresent(why -> {
          throw new UnsupportedOperationException("Sandpiper cannot start commands: " + why);
        });
    occupyStandardDescriptors();
    Spawn.defaultDisposition(Signals.SIGCHLD);
    OpenFileLimit openFiles = OpenFileLimit.raise(inherited.openFiles());
    FifoDirectory directory = FifoDirectory.open(stateDirectory, run, stillNeeded);
    PosixLauncher launcher =
        new PosixLauncher(users, openFiles, directory, stateDirectory, earlier, inherited);
    launcher.keeper.recover(inherited.of(Inherited.KEEPER));
    launcher.fifos.start();
    return launcher;
  }

  private PosixLauncher(
      Users users,
      OpenFileLimit openFiles,
      FifoDirectory directory,
      Path stateDirectory,
      Collection<EarlierChild> earlier,
      Inherited inherited) {
    this.openFiles = openFiles;
    self = users.self();
    canSwitch = users.canSwitch();
    ttyGid = users.groupId("tty").orElse(-1);
    devNull = Posix.open("/dev/null", Fcntl.O_RDONLY | Fcntl.O_CLOEXEC, 0);
    if (devNull < 0) {
      throw new IllegalStateException("cannot open /dev/null: " + Errno.describe(devNull));
    }
    keeper = new Keeper(stateDirectory, new KeeperStarter());
    boolean plenty = Long.compareUnsigned(openFiles.agentSoft(), PLENTY_OF_DESCRIPTORS) >= 0;
    fifos =
        new FifoPool(
            directory, keeper, plenty ? FifoPool.READY : 4, () -> this.openFiles.hasSpare(devNull));
    orphansSince = Orphans.collect();
    boolean reaps = OrphanReaper.isNeeded();
    registry = new ChildRegistry(reaps);
    for (EarlierChild child : earlier) {
      if (reaps && Adopting.isOurs(child.identity())) {
        registry.adopted(child.identity().pid()); // before the reaper looks
      }
    }
    this.inherited = inherited;
    orphans = reaps ? new OrphanReaper(registry) : null;
    spawner = new SpawnerThread(this);
  }

  /// A child's 0 to 2 are mapped one after the other, so none of the sources may lie there.
  private static void occupyStandardDescriptors() {
    for (int fd = 0; fd <= 2; fd++) {
      if (Posix.fcntl(fd, Fcntl.F_GETFD, 0) == -Errno.EBADF) {
        Posix.open("/dev/null", Fcntl.O_RDWR, 0); // the lowest free number is this one
      }
    }
  }

  @Override
  public boolean canLaunchHere(LaunchSpec spec) {
    User user = spec.user();
    return user.uid() == self.uid() && (!canSwitch || (user.gid() == ownGid && hasOwnGroups(user)));
  }

  /// The primary group counts as a supplementary one on both sides: being in it twice changes nothing.
  private boolean hasOwnGroups(User user) {
    for (int group : user.groups()) {
      if (group != ownGid && !ownGroups.contains(group)) {
        return false;
      }
    }
    for (int group : ownGroups) {
      if (group != ownGid && !user.groups().contains(group)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public Child launchHere(LaunchSpec spec, Consumer<Map<String, String>> prepared)
      throws LaunchException {
    if (!canLaunchHere(spec)) {
      throw new IllegalArgumentException(
          "user '" + spec.user().name() + "' is not the agent's own identity");
    }
    return start(spec, null, prepared);
  }

  @Override
  public void launch(LaunchSpec spec, LaunchCallback callback) {
    spawner.submit(spec, callback);
  }

  /// @param identity null to stay who one is; on the spawner thread otherwise
  Child start(LaunchSpec spec, @Nullable Identity identity, Consumer<Map<String, String>> prepared)
      throws LaunchException {
    refuseNuls(spec);
    Identity lent = canLaunchHere(spec) ? null : identity;
    if (lent != null && !canSwitch) {
      throw LaunchFailures.noSwitch(spec, self);
    }
    if (!openFiles.hasSpare(devNull)) {
      throw LaunchFailures.resources(
          "command '%s' was not started: the last %d descriptors are kept for connections"
              .formatted(spec.cmd(), OpenFileLimit.KEPT),
          -Errno.EMFILE);
    }
    boolean gives = spec.user().uid() != self.uid() || spec.user().gid() != ownGid;
    ChildStreams streams =
        ChildStreams.open(
            spec, fifos, keeper, devNull, canSwitch && gives, canSwitch ? ttyGid : -1);
    boolean throughShell = !openFiles.canLower(devNull);
    int pid = 0;
    Attempt attempt;
    try {
      prepared.accept(streams.facts());
      attempt = new Attempt(spec, streams, throughShell);
      priorities.lend();
      try {
        pid = lent != null ? as(lent, spec, attempt) : attempt.run();
      } finally {
        priorities.giveBack();
      }
      if (pid <= 0) {
        throw attempt.failure(pid);
      }
    } finally {
      if (pid <= 0) {
        streams.discard();
      }
    }
    if (throughShell) {
      streams.facts().put(Child.OPEN_FILES_LIMIT, "shell");
    }
    return started(spec, pid, attempt.identity, streams);
  }

  private static int as(Identity identity, LaunchSpec spec, Attempt attempt)
      throws LaunchException {
    Tasks.Groups groups = identity.prepare(spec.user());
    int taken = identity.take(spec.user(), groups);
    if (taken < 0) {
      throw LaunchFailures.switchRefused(spec, taken);
    }
    try {
      return attempt.run();
    } finally {
      identity.giveBack();
    }
  }

  /// The part of a start that may run under another identity. Answers the pid; throws nothing that the kernel decides.
  private final class Attempt {
    private final LaunchSpec spec;
    private final ChildStreams streams;
    private final boolean throughShell;
    private final Spawn spawn = SPAWN.get();
    private CommandSearch.@Nullable Problem problem;
    private String program = "";
    private @Nullable ProcessIdentity identity;

    Attempt(LaunchSpec spec, ChildStreams streams, boolean throughShell) {
      this.spec = spec;
      this.streams = streams;
      this.throughShell = throughShell;
      List<String> arguments = new ArrayList<>(spec.args().size() + 1);
      arguments.add(spec.cmd());
      arguments.addAll(spec.args());
      spawn.arguments(arguments, spec.environment());
    }

    int run() {
      if (throughShell) { // which would answer a missing program with an exit code
        String script = "ulimit -Sn " + openFiles.childSoft() + "; exec \"$0\" \"$@\"";
        return find() ? throughShell(List.of(SHELL, "-c", script, program)) : 0;
      }
      if (!spec.cmd().startsWith("/")) {
        return find() ? startProgram() : 0;
      }
      // A full path is tried as it is, three system calls less; only after a failure is asked what
      // was wrong.
      program = spec.cmd();
      int pid = startProgram();
      return pid > 0 || find() ? pid : 0;
    }

    private boolean find() {
      CommandSearch.Result found = CommandSearch.find(spec);
      problem = found.problem();
      if (found.program() == null) {
        return false;
      }
      program = found.program();
      return true;
    }

    private int startProgram() {
      int pid = start(program);
      // A script without a first line that names its interpreter is the shell's, as execvp(3) has
      // it.
      return pid == -Errno.ENOEXEC ? throughShell(List.of(SHELL, program)) : pid;
    }

    private int throughShell(List<String> prefix) {
      List<String> arguments = new ArrayList<>(prefix);
      arguments.addAll(spec.args());
      spawn.arguments(arguments, spec.environment());
      return start(SHELL);
    }

    private int start(String path) {
      spawn.begin();
      streams.map(spawn);
      spawn.chdir(spec.cwd());
      registry.spawning();
      openFiles.lower();
      int pid = 0;
      long before = startTimes.now();
      try {
        pid = spawn.start(path);
        identity = pid > 0 ? startTimes.identity(pid, before) : null;
        return pid;
      } finally {
        openFiles.restore();
        spawned(pid);
      }
    }

    LaunchException failure(int error) {
      return problem != null
          ? LaunchFailures.of(spec, problem)
          : LaunchFailures.spawn(spec, program, error);
    }
  }

  private Child started(
      LaunchSpec spec, int pid, @Nullable ProcessIdentity identity, ChildStreams streams)
      throws LaunchException {
    streams.closeChildEnds();
    int exitFd = Tasks.pidfdOpen(pid);
    boolean hasPidfd = exitFd >= 0;
    if (!hasPidfd && exitFd != -Errno.EMFILE && exitFd != -Errno.ENFILE) {
      exitFd = ExitPipe.open(pid);
      streams.facts().put(Child.EXIT_WATCH, "thread");
    }
    streams.started(spec.processId(), hasPidfd ? exitFd : -1);
    SpawnedChild child =
        new SpawnedChild(
            pid,
            identity,
            exitFd,
            hasPidfd,
            new ChildDescriptors(
                spec.processId(),
                streams.output(),
                streams.inputFd(),
                streams.facts(),
                streams.boxes(),
                fifos,
                keeper),
            registry,
            null);
    if (exitFd < 0) {
      child.signal(Signals.SIGKILL, Scope.GROUP);
      Tasks.waitid(Tasks.P_PID, pid, Tasks.WEXITED | Tasks.WNOWAIT); // killed, so this is short
      child.close();
      throw LaunchFailures.resources(
          "command '" + spec.cmd() + "' was stopped at once, its exit could not be watched",
          exitFd);
    }
    priorities.apply(pid);
    return child;
  }

  @Override
  public Child adopt(EarlierChild earlier) {
    return new Adopting(earlier, inherited.of(earlier.processId()), keeper, fifos, registry)
        .adopt();
  }

  @Override
  public Keeper keeper() {
    return keeper;
  }

  /// The keeper is a child like any other, with the agent's own identity, and nothing but its two ends.
  private final class KeeperStarter implements Keeper.Starter {
    @Override
    public int start(List<String> command, Map<String, String> environment, int input, int output) {
      Spawn spawn = SPAWN.get();
      spawn.arguments(command, environment);
      spawn.begin();
      spawn.dup2(input, 0);
      spawn.dup2(output, 1);
      spawn.dup2(devNull, 2);
      spawn.chdir("/");
      registry.spawning();
      int pid = 0;
      try {
        pid = spawn.start(command.getFirst());
        priorities.asAgent(pid);
        return pid;
      } finally {
        spawned(pid);
      }
    }

    @Override
    public void ended(int pid) {
      registry.remove(pid);
    }
  }

  private static void refuseNuls(LaunchSpec spec) throws LaunchException {
    refuseNul(spec.cmd(), "the command");
    refuseNul(spec.cwd(), "cwd");
    for (String argument : spec.args()) {
      refuseNul(argument, "an argument of command '" + spec.cmd() + "'");
    }
    for (Map.Entry<String, String> variable : spec.environment().entrySet()) {
      refuseNul(variable.getKey(), "the name of an environment variable");
      refuseNul(variable.getValue(), "environment variable '" + variable.getKey() + "'");
    }
    if (!spec.cwd().startsWith("/")) {
      throw new LaunchException(Reason.INVALID, "cwd '" + spec.cwd() + "' is not an absolute path");
    }
  }

  private static void refuseNul(String text, String what) throws LaunchException {
    if (text.indexOf('\0') >= 0) {
      throw new LaunchException(Reason.INVALID, what + " contains a NUL character");
    }
  }

  @Override
  public void warmUp() {
    Posix.warmUp();
    Spawn spawn = SPAWN.get();
    spawn.arguments(List.of("warm-up"), new HashMap<>());
    spawn.begin();
    spawn.dup2(devNull, 0);
    spawn.chdir("/");
    spawn.start("/proc/self/none"); // everything but a program: the child ends before it is one
    CommandSearch.enter("/");
    spawner.warmUp();
  }

  @Override
  public long priorityFailures() {
    return priorities.failures();
  }

  @Override
  public long orphansSince() {
    return orphansSince;
  }

  @Override
  public boolean isOwn(int pid) {
    return registry.isOurs(pid);
  }

  private void spawned(int pid) {
    registry.spawned(pid);
    if (orphans != null && pid > 0) {
      orphans.wake();
    }
  }

  /// Orphans collected so far; always 0 unless the agent is process 1 or a subreaper.
  public long orphansReaped() {
    return orphans == null ? 0 : orphans.reaped();
  }

  /// Prepared FIFOs, for tests that count descriptors.
  int fifosReady() {
    return fifos.ready();
  }

  @Override
  public void close() {
    spawner.close();
    if (orphans != null) {
      orphans.close();
    }
    fifos.close();
    keeper.close(keeper.holdsAnything()); // without effect if it was closed rightly before
    priorities.close();
    Posix.close(devNull);
  }
}

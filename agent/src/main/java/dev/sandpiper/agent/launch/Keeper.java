package dev.sandpiper.agent.launch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.posix.Sockets;
import dev.sandpiper.agent.posix.Tasks;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A process that does nothing, and so keeps open what commands need when the agent is killed.
///
/// It is a `sleep infinity` whose standard input and output are the two ends of one socket pair. The agent sends {@link Box}es
/// into that pair; nobody ever receives them, so everything in them stays open as long as the keeper or the agent lives. As the
/// agent has both ends too, a keeper that was killed is replaced by starting another one with the same ends: nothing has to be
/// sent again. A new agent finds the keeper by a file in the state directory, checks its identity, fetches the two ends with
/// pidfd_getfd(2), and looks at the queue without taking anything out, so that it may be killed at any moment itself.
///
/// The queue takes {@link #MOST_MESSAGES} messages of {@link Sockets#MOST_DESCRIPTORS} boxes. When half of them are empty, or
/// there are many small messages, all boxes in use are sent again in as few messages as possible, and then the old ones are
/// dropped, in this order. Where the kernel refuses, {@link Child#KEEPER} in the process's facts tells.
///
/// Boxes come before commands: what a command prints can be kept from its first byte on. The program is started with the first
/// command. Thread-safe; its lock is innermost, and held across a spawn.
public final class Keeper {
  private static final Logger LOG = LoggerFactory.getLogger("keeper");

  private static final String FILE = "keeper";
  private static final String HEAD = "sandpiper keeper 1";

  /// Under the 277 that the default buffer of a socket takes (each counts as 768 bytes of 212,992).
  static final int MOST_MESSAGES = 200;

  private static final int REPACK_AT = 128;

  /// What ends sooner was not killed, but does not work here.
  private static final long QUICK_DEATH_NANOS = 1_000_000_000;

  private static final long RETRY_NANOS = 10_000_000_000L;

  /// In the order in which they are tried; `cat` reads from an end that nobody sends to.
  private static final List<List<String>> PROGRAMS =
      List.of(
          List.of("/bin/sleep", "infinity"),
          List.of("/usr/bin/sleep", "infinity"),
          List.of("/bin/cat"),
          List.of("/usr/bin/cat"));

  /// Starts a program with these descriptors as its standard input and output: its pid, or `-errno`.
  interface Starter {
    int start(List<String> command, Map<String, String> environment, int input, int output);

    /// It has ended and was collected.
    void ended(int pid);
  }

  /// What an earlier agent left for one process.
  static final class Found {
    private final Map<String, Integer> descriptors = new HashMap<>();
    private final List<Box> boxes = new ArrayList<>(2);

    private void add(Found more) {
      boxes.addAll(more.boxes);
      more.descriptors.forEach((name, fd) -> {
        if (descriptors.putIfAbsent(name, fd) != null) {
          Posix.close(fd);
        }
      });
    }

    /// Takes a descriptor out; -1 when there is none of that name.
    int take(String name) {
      Integer fd = descriptors.remove(name);
      return fd == null ? -1 : fd;
    }

    List<Box> boxes() {
      return boxes;
    }

    Set<String> names() {
      return descriptors.keySet();
    }

    void closeRest() {
      descriptors.values().forEach(Posix::close);
      descriptors.clear();
    }
  }

  private final Path file;
  private final Starter starter;

  @GuardedBy("this")
  private int sendFd = -1;

  @GuardedBy("this")
  private int receiveFd = -1;

  @GuardedBy("this")
  private int exitFd = -1;

  @GuardedBy("this")
  private int pid;

  @GuardedBy("this")
  private long startedNanos;

  @GuardedBy("this")
  private int program;

  @GuardedBy("this")
  private int quickDeaths;

  /// When to try again after none could be started.
  @GuardedBy("this")
  private long notBefore = System.nanoTime();

  /// Why there is no keeper; null while there is or can be one.
  private volatile @Nullable String problem;

  /// Its program was started, and has not been seen to end.
  private volatile boolean runs;

  @GuardedBy("this")
  private final Set<Box> boxes = new LinkedHashSet<>();

  /// Bound: what is made ahead, and one per process, until the next {@link #flush}.
  @GuardedBy("this")
  private final Set<Box> unsent = new LinkedHashSet<>();

  @GuardedBy("this")
  private boolean closed;

  @GuardedBy("this")
  private int messages;

  /// Boxes in those messages, empty ones included.
  @GuardedBy("this")
  private int sent;

  /// By process, or by the path of a FIFO that was given to one, until they are claimed.
  @GuardedBy("this")
  private final Map<String, Found> found = new HashMap<>();

  /// The pidfd of an earlier agent's keeper whose descriptors could not be fetched; -1 when there is none.
  @GuardedBy("this")
  private int foreign = -1;

  /// Why nothing, or not everything, could be had from an earlier agent's keeper; null when nothing was missed.
  @GuardedBy("this")
  private @Nullable String missed;

  Keeper(Path stateDirectory, Starter starter) {
    file = stateDirectory.resolve(FILE);
    this.starter = starter;
  }

  // --- What an earlier agent left. ---

  /// Looks for the keeper of an earlier agent, and at everything in it. Once, before anything is kept.
  ///
  /// @param inherited the two ends by name, {@link Inherited#KEEPER}, where they were handed down
  synchronized void recover(Map<String, Integer> inherited) {
    ProcessIdentity left = read();
    Integer handedSend = inherited.get(Inherited.SEND);
    Integer handedReceive = inherited.get(Inherited.RECEIVE);
    if (handedSend != null && handedReceive != null) {
      sendFd = handedSend;
      receiveFd = handedReceive;
      watch(left);
      look();
      return;
    }
    if (left == null) {
      missed = "there was no keeper";
      return;
    }
    int pidfd = Tasks.pidfdOpen(left.pid());
    boolean runs =
        pidfd >= 0
            && left.equals(ProcStat.identity(left.pid()))
            && Posix.poll(pidfd, Posix.POLLIN) == 0; // else it only waits to be collected
    if (!runs) {
      if (pidfd >= 0) {
        Posix.close(pidfd);
      }
      missed = "the keeper was gone";
      return;
    }
    int send = Tasks.pidfdGetfd(pidfd, 0);
    int receive = Tasks.pidfdGetfd(pidfd, 1);
    if (send < 0 || receive < 0) {
      foreign = pidfd;
      missed =
          "what the keeper (pid %d) holds could not be fetched: pidfd_getfd: %s"
              .formatted(left.pid(), Errno.describe(Math.min(send, receive)));
      closeAll(send, receive);
      return;
    }
    sendFd = send;
    receiveFd = receive;
    watch(pidfd, left.pid());
    look();
  }

  /// The two ends were handed down: the process is wanted for the next crash only, and may be missing.
  @GuardedBy("this")
  private void watch(@Nullable ProcessIdentity left) {
    int pidfd = left == null ? -Errno.ESRCH : Tasks.pidfdOpen(left.pid());
    if (left == null || pidfd < 0) {
      return;
    }
    if (left.equals(ProcStat.identity(left.pid()))) {
      watch(pidfd, left.pid());
    } else {
      Posix.close(pidfd);
    }
  }

  @GuardedBy("this")
  private void watch(int pidfd, int keeperPid) {
    exitFd = pidfd;
    pid = keeperPid;
    runs = true;
  }

  /// Duplicates of the two ends by name, close-on-exec; empty where nothing was kept. Through them whoever takes the agent's
  /// place has everything that is kept. After the last {@link #flush}, before {@link #close}.
  public synchronized Map<String, Integer> handDown() {
    if (sendFd < 0) {
      return Map.of();
    }
    int send = Posix.dup(sendFd);
    int receive = Posix.dup(receiveFd);
    if (send < 0 || receive < 0) {
      closeAll(send, receive);
      LOG.error(
          "the keeper's sockets cannot be handed down: {}",
          Errno.describe(Math.min(send, receive)));
      return Map.of();
    }
    return Map.of(Inherited.SEND, send, Inherited.RECEIVE, receive);
  }

  @GuardedBy("this")
  private void look() {
    Sockets.peekFrom(receiveFd, 0);
    for (Sockets.Message message = Sockets.peek(receiveFd);
        message != null;
        message = Sockets.peek(receiveFd)) {
      messages++;
      sent += message.descriptors().size();
      boolean complete = message.complete();
      for (int fd : message.descriptors()) {
        Box.Opened opened = Box.open(fd);
        if (opened != null) {
          complete &= opened.content().complete();
          put(opened);
        }
      }
      if (!complete) {
        missed = "there were not enough descriptors left for all that the keeper holds";
      }
    }
  }

  /// A box may be in the queue twice, where an agent was killed while it sent everything again.
  @GuardedBy("this")
  private void put(Box.Opened opened) {
    Found process = found.computeIfAbsent(opened.content().name(), _ -> new Found());
    Map<String, Integer> descriptors = opened.content().descriptors();
    if (process.descriptors.keySet().containsAll(descriptors.keySet())) {
      descriptors.values().forEach(Posix::close);
      Posix.close(opened.box().fd());
      return;
    }
    opened.box().use();
    process.boxes.add(opened.box());
    boxes.add(opened.box());
    descriptors.forEach((name, fd) -> {
      if (process.descriptors.putIfAbsent(name, fd) != null) {
        Posix.close(fd);
      }
    });
  }

  /// Whether there is anything of a process that has not been claimed.
  public synchronized boolean holds(EarlierChild process) {
    boolean holds = found.containsKey(process.processId());
    for (String fact : process.facts().values()) {
      holds |= found.containsKey(fact);
    }
    return holds;
  }

  /// What there is of one process; once. A box that was given to it just before an earlier agent was killed has only the name of its
  /// FIFO.
  synchronized Found claim(EarlierChild process) {
    Found claimed = new Found();
    Found named = found.remove(process.processId());
    if (named != null) {
      claimed.add(named);
    }
    for (String fact : process.facts().values()) {
      Found byPath = found.remove(fact);
      if (byPath != null) {
        claimed.add(byPath);
      }
    }
    return claimed;
  }

  /// Why something of an earlier agent may be missing; null when everything was there.
  synchronized @Nullable String missed() {
    return missed;
  }

  /// Whether an earlier keeper still holds everything, though it cannot be had from it.
  synchronized boolean holdsUnfetched() {
    return foreign >= 0;
  }

  /// Lets go of what no process claimed, and of a keeper whose descriptors could not be fetched: what it held is either open
  /// again by its path, or lost. The new keeper must hold its own before that.
  public synchronized void releaseUnclaimed() {
    for (Found process : found.values()) {
      process.closeRest();
      process.boxes.forEach(this::remove);
    }
    found.clear();
    if (foreign >= 0) {
      Tasks.pidfdSendSignal(foreign, Signals.SIGKILL, 0);
      Posix.close(foreign);
      foreign = -1;
    }
  }

  // --- Keeping. ---

  /// Keeps a box, from the next {@link #flush} on, which tells the box if it is not.
  synchronized void add(Box box) {
    box.refused(null);
    boxes.add(box);
    unsent.add(box);
  }

  /// Empties a box; its place in the queue is used again some time.
  void remove(Box box) {
    if (box.release()) {
      synchronized (this) {
        boxes.remove(box);
        unsent.remove(box);
      }
    }
  }

  /// Sends what has come since the last time, in one message where that is enough.
  public synchronized void flush() {
    if (closed || unsent.isEmpty()) {
      return;
    }
    int error = open();
    if (error < 0) {
      refuse("no socket pair for the keeper: " + Errno.describe(error));
      return;
    }
    error = send();
    if (error < 0) {
      refuse("the keeper takes no more: " + Box.refusal(error));
    }
    unsent.clear();
  }

  @GuardedBy("this")
  private void refuse(String why) {
    unsent.forEach(box -> box.refused(why));
    unsent.clear();
  }

  @GuardedBy("this")
  private int open() {
    if (sendFd >= 0) {
      return 0;
    }
    int[] pair = new int[2];
    int made = Sockets.pair(pair);
    if (made == 0) {
      sendFd = pair[0];
      receiveFd = pair[1];
    }
    return made;
  }

  /// Starts the keeper where there is none; costs nothing where there is one. Before every spawn.
  ///
  /// @return whether this call has started it, and {@link #exitFd} is to be watched
  public boolean start() {
    return !runs && startNow();
  }

  private synchronized boolean startNow() {
    if (closed || exitFd >= 0 || System.nanoTime() - notBefore < 0 || open() < 0) {
      return false;
    }
    startProgram();
    return exitFd >= 0;
  }

  /// Why nothing is kept; null when there is no such reason.
  @Nullable String problem() {
    return problem;
  }

  @GuardedBy("this")
  private int send() {
    int needed = messagesFor(unsent.size());
    boolean manySmall = messages + needed > REPACK_AT && sent > 2L * boxes.size();
    if (manySmall || messages + needed > MOST_MESSAGES) {
      return repack();
    }
    return send(List.copyOf(unsent));
  }

  /// First the new messages, then the old ones go: whoever is killed in between has every box at least once.
  @GuardedBy("this")
  private int repack() {
    int old = messages;
    messages = 0;
    sent = 0;
    int error = send(List.copyOf(boxes));
    if (error < 0) {
      messages += old; // the old ones stay, as they may hold what was not sent
      return error;
    }
    for (int i = 0; i < old; i++) {
      Sockets.drop(receiveFd);
    }
    return 0;
  }

  @GuardedBy("this")
  private int send(List<Box> some) {
    int[] fds = new int[Math.min(some.size(), Sockets.MOST_DESCRIPTORS)];
    for (int from = 0; from < some.size(); from += fds.length) {
      int count = Math.min(fds.length, some.size() - from);
      for (int i = 0; i < count; i++) {
        fds[i] = some.get(from + i).fd();
      }
      int result = Sockets.send(sendFd, HEAD, fds, count);
      if (result < 0) {
        return result;
      }
      messages++;
      sent += count;
    }
    return 0;
  }

  private static int messagesFor(int count) {
    return (count + Sockets.MOST_DESCRIPTORS - 1) / Sockets.MOST_DESCRIPTORS;
  }

  @GuardedBy("this")
  private void startProgram() {
    Map<String, String> environment = new HashMap<>();
    environment.put("SANDPIPER_KEEPER", String.valueOf(file.getParent()));
    environment.put("SANDPIPER_PROCESS_ID", "keeper"); // it belongs to no command's tree
    String path = System.getenv("PATH");
    if (path != null) {
      environment.put("PATH", path);
    }
    String why = "they end at once";
    for (int tries = 0; tries < PROGRAMS.size() && quickDeaths < PROGRAMS.size(); tries++) {
      List<String> command = PROGRAMS.get(program);
      int started = starter.start(command, environment, sendFd, receiveFd);
      if (started > 0) {
        pid = started;
        startedNanos = System.nanoTime();
        exitFd = Tasks.pidfdOpen(started);
        if (exitFd >= 0) {
          runs = true;
          problem = write(ProcStat.identity(started));
          return;
        }
        why = "its exit cannot be watched: " + Errno.describe(exitFd);
        Tasks.kill(started, Signals.SIGKILL);
        Tasks.waitid(Tasks.P_PID, started, Tasks.WEXITED);
        starter.ended(started);
        break;
      }
      why = command + ": " + Errno.describe(started);
      program = (program + 1) % PROGRAMS.size();
    }
    if (problem == null) {
      LOG.warn("no keeper could be started, so commands do not survive the agent: {}", why);
    }
    problem = "no keeper could be started: " + why;
    quickDeaths = 0;
    notBefore = System.nanoTime() + RETRY_NANOS;
  }

  /// Readable when the keeper has ended: then call {@link #replace}. -1 while there is none.
  public synchronized int exitFd() {
    return exitFd;
  }

  public synchronized int pid() {
    return pid;
  }

  /// The keeper has ended; with the next {@link #start} another one gets the same two ends, and so holds the same descriptors.
  public synchronized void replace() {
    if (exitFd < 0) {
      return;
    }
    boolean quick = System.nanoTime() - startedNanos < QUICK_DEATH_NANOS;
    quickDeaths = quick ? quickDeaths + 1 : 0;
    if (quick) {
      program = (program + 1) % PROGRAMS.size();
    }
    LOG.warn("the keeper (pid {}) has ended; it is replaced", pid);
    collect();
  }

  @GuardedBy("this")
  private void collect() {
    Tasks.waitid(
        Tasks.P_PID, pid, Tasks.WEXITED | Tasks.WNOHANG); // not ours, if an earlier agent's
    starter.ended(pid);
    Posix.close(exitFd);
    exitFd = -1;
    pid = 0;
    runs = false;
  }

  /// Whether anything would be closed if the keeper ended now.
  public synchronized boolean holdsAnything() {
    boolean any = foreign >= 0;
    for (Box box : boxes) {
      any |= box.inUse();
    }
    return any;
  }

  /// The agent ends.
  ///
  /// @param survivors whether commands go on: then the keeper does too
  public synchronized void close(boolean survivors) {
    if (closed) {
      return;
    }
    closed = true;
    if (exitFd >= 0 && !survivors) {
      Tasks.pidfdSendSignal(exitFd, Signals.SIGKILL, 0);
      Tasks.waitid(Tasks.P_PID, pid, Tasks.WEXITED);
      collect();
      try {
        Files.deleteIfExists(file);
      } catch (IOException left) {
        LOG.warn("{} could not be removed: {}", file, left.toString());
      }
    }
    closeAll(sendFd, receiveFd, exitFd);
    sendFd = -1;
    receiveFd = -1;
    exitFd = -1;
  }

  private static void closeAll(int... fds) {
    for (int fd : fds) {
      if (fd >= 0) {
        Posix.close(fd);
      }
    }
  }

  // --- The file that the next agent finds it by. ---

  private @Nullable String write(ProcessIdentity identity) {
    Path fresh = file.resolveSibling(FILE + ".new");
    try {
      Files.writeString(
          fresh,
          "%s%n%d %d %s%n"
              .formatted(HEAD, identity.pid(), identity.startTicks(), identity.bootId()));
      Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
      return null;
    } catch (IOException failure) {
      LOG.warn("the keeper cannot be found again: {}", failure.toString());
      return "the keeper cannot be found again: " + failure;
    }
  }

  /// Null where there is none, or the file is not understood.
  private @Nullable ProcessIdentity read() {
    if (Posix.statusError(file.toString()) == -Errno.ENOENT) {
      return null;
    }
    try {
      List<String> lines = Files.readAllLines(file);
      String[] parts = lines.size() == 2 ? lines.get(1).split(" ", 3) : new String[0];
      if (parts.length == 3 && lines.getFirst().equals(HEAD) && !parts[2].isEmpty()) {
        return new ProcessIdentity(Integer.parseInt(parts[0]), Long.parseLong(parts[1]), parts[2]);
      }
      LOG.warn("{} is not understood; the keeper of an earlier agent is not used", file);
    } catch (IOException | NumberFormatException damaged) {
      LOG.warn("{} is damaged: {}", file, damaged.toString());
    }
    return null;
  }
}

package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Gets one process's descriptors back: handed down, from the keeper, or by the paths of its FIFOs, in this order.
///
/// Whether the process still runs makes no difference: what it left in its pipes is read, and its exit is whatever a pidfd from
/// before its end, or the kernel, still tells. What cannot be had back is replaced by something that is at its end, and named in
/// the fact {@link Child#LOST}.
final class Adopting {
  private final EarlierChild earlier;
  private final Map<String, Integer> handedDown;
  private final Keeper.Found found;
  private final @Nullable String missed;
  private final FifoPool fifos;
  private final Keeper keeper;
  private final ChildRegistry registry;
  private final Map<String, String> facts;
  private final List<String> lost = new ArrayList<>(1);
  private final boolean whole;
  private boolean byPath;
  private boolean inputEnded;
  private boolean exitKept;

  Adopting(
      EarlierChild earlier,
      Map<String, Integer> handedDown,
      Keeper keeper,
      FifoPool fifos,
      ChildRegistry registry) {
    this.earlier = earlier;
    this.handedDown = new HashMap<>(handedDown);
    this.keeper = keeper;
    this.found = keeper.claim(earlier);
    this.missed = keeper.missed();
    this.fifos = fifos;
    this.registry = registry;
    facts = new HashMap<>(earlier.facts());
    facts.remove(Child.KEEPER);
    facts.remove(Child.LOST);
    String output = earlier.terminal() ? Child.MASTER : Child.STDOUT;
    whole = has(output);
  }

  private boolean has(String name) {
    return handedDown.containsKey(name) || found.names().contains(name);
  }

  private int take(String name) {
    Integer handed = handedDown.remove(name);
    return handed != null ? handed : found.take(name);
  }

  Child adopt() {
    ProcessIdentity identity = earlier.identity();
    int exitFd = exitFd(identity);
    Exit exit = exitFd >= 0 ? null : endUnseen(identity);
    boolean runs = exit == null && Posix.poll(exitFd, Posix.POLLIN) == 0;
    ChildOutput output;
    int input;
    if (earlier.terminal()) {
      int master = take(Child.MASTER);
      input = master < 0 ? -1 : Posix.dup(master);
      output = terminal(master);
    } else {
      output =
          new ChildOutput.Pipes(
              output(Child.STDOUT, Child.FIFO_STDOUT), output(Child.STDERR, Child.FIFO_STDERR));
      input = input();
    }
    sayWhatIsLost(runs);
    ChildDescriptors descriptors =
        new ChildDescriptors(
            earlier.processId(), output, input, facts, found.boxes(), fifos, keeper);
    if (inputEnded) {
      descriptors.inputHasEnded();
    }
    if (found.boxes().isEmpty()) { // there was nothing to be had from the earlier keeper
      descriptors.keep(exit == null ? exitFd : -1);
    } else if (!exitKept && exit == null) {
      descriptors.keep(Child.EXIT, exitFd);
    }
    if (exit == null && isOurs(identity)) {
      return new SpawnedChild(identity.pid(), null, exitFd, true, descriptors, registry, found);
    }
    return new AdoptedChild(identity, exit == null ? exitFd : ended(), exit, descriptors, found);
  }

  /// The agent was replaced in place, or gets what is orphaned: then it is the parent, and the kernel tells it everything.
  static boolean isOurs(ProcessIdentity identity) {
    ProcStat.Stat stat = ProcStat.read(identity.pid());
    return stat != null
        && stat.startTicks() == identity.startTicks()
        && stat.parent() == Tasks.getpid();
  }

  private int exitFd(ProcessIdentity identity) {
    int kept = take(Child.EXIT);
    if (kept >= 0) {
      exitKept = true;
      return kept;
    }
    int opened = Tasks.pidfdOpen(identity.pid());
    // The pidfd first: whoever has the pid then is the one that it means.
    if (opened >= 0 && ProcStat.startTicks(identity.pid()) != identity.startTicks()) {
      Posix.close(opened);
      return -Errno.ESRCH;
    }
    return opened;
  }

  private Exit endUnseen(ProcessIdentity identity) {
    Exit told = AdoptedChild.uncollected(identity);
    return told != null
        ? told
        : new Exit.Lost(
            (identity.pid() == 0
                    ? "an earlier agent was killed while it started it, and whether it ran is not known"
                    : "it ended while no agent ran")
                + (missed == null ? "" : ", and " + missed));
  }

  // --- Output. ---

  private int output(String name, String fifoKey) {
    int fd = take(name);
    if (fd >= 0) {
      return fd;
    }
    int opened = openToRead(facts.get(fifoKey));
    return opened >= 0 ? opened : ended();
  }

  /// A FIFO that nobody has written to since it was opened would never be at its end, so it is opened for writing for an
  /// instant.
  private int openToRead(@Nullable String path) {
    if (path == null) {
      return -Errno.ENOENT;
    }
    int fd = Posix.open(path, Fcntl.O_RDONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0);
    if (fd >= 0) {
      byPath = true;
      int writer = openToWrite(path);
      if (writer >= 0) {
        Posix.close(writer);
      }
    }
    return fd;
  }

  private static int openToWrite(String path) {
    return Posix.open(path, Fcntl.O_WRONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0);
  }

  private ChildOutput terminal(int master) {
    int read = take(Child.CARRIER);
    if (read < 0) {
      read = openToRead(facts.get(Child.FIFO_PTY));
    }
    int write = read < 0 ? -1 : openToWrite("/proc/self/fd/" + read);
    if (write < 0) {
      int[] pipe = new int[2];
      Posix.pipe2(pipe, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK);
      if (read >= 0) {
        Posix.close(read);
      }
      read = pipe[0];
      write = pipe[1];
    }
    return new ChildOutput.Terminal(master >= 0 ? master : ended(), read, write);
  }

  /// Something that is at its end, and so readable for poll(2).
  private static int ended() {
    int[] pipe = new int[2];
    int made = Posix.pipe2(pipe, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK);
    if (made < 0) {
      throw new IllegalStateException("no pipe: " + Errno.describe(made));
    }
    Posix.close(pipe[1]);
    return pipe[0];
  }

  // --- Input. ---

  private int input() {
    int fd = take(Child.STDIN);
    if (fd >= 0) {
      return fd;
    }
    String path = facts.get(Child.FIFO_STDIN);
    if (path == null) {
      return -1;
    }
    String endedPath = path + ChildDescriptors.ENDED;
    if (Posix.statusError(endedPath) == 0) {
      fifos.retireInput(endedPath, true);
      inputEnded = true;
    } else if (whole) {
      inputEnded = true; // the earlier agent was about to say so
      Posix.rename(path, endedPath);
      fifos.retireInput(endedPath, true);
    } else {
      fd = openToWrite(path);
      byPath |= fd >= 0;
    }
    return fd;
  }

  // --- What to tell. ---

  private void sayWhatIsLost(boolean runs) {
    if (!whole) {
      String why = missed == null ? "the keeper did not have it yet" : missed;
      if (earlier.terminal()) {
        lost.add("its terminal: " + why);
      } else if (!keeper.holdsUnfetched()) {
        lost.add(
            runs
                ? "what it wrote or read while no agent ran: " + why
                : "what was left in its pipes: " + why);
      }
    }
    facts.put(Child.ADOPTED, !whole ? byPath ? "paths" : "nothing" : "keeper");
    if (!lost.isEmpty()) {
      facts.put(Child.LOST, String.join("; ", lost));
    }
  }
}

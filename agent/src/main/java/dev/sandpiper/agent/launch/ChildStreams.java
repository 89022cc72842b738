package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.launch.LaunchException.Reason;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Spawn;
import dev.sandpiper.agent.posix.Terminals;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The descriptors of one start, on both sides, until the child has them.
///
/// Opened before the identity changes, mapped into the child by {@link #map}; then either {@link #closeChildEnds} after
/// a success or {@link #discard} after a failure, which leaves nothing.
final class ChildStreams {
  private static final int S_GROUP_WRITES = 0620; // what mesg(1) and write(1) expect of a terminal

  private final FifoPool fifos;
  private final Keeper keeper;
  private final Map<String, String> facts = new HashMap<>(8);
  private final List<Prepared> taken = new ArrayList<>(2);
  private final List<Box> boxes = new ArrayList<>(2);
  private @Nullable Fifo stdin;
  private @Nullable Fifo stdout;
  private @Nullable Fifo stderr;
  private @Nullable Fifo carrier;
  private int stdinFd = -1;
  private int master = -1;
  private int masterForInput = -1;
  private String slave = "";

  private ChildStreams(FifoPool fifos, Keeper keeper) {
    this.fifos = fifos;
    this.keeper = keeper;
  }

  /// @param give whether the user differs from the agent, so that the child's ends have to be given to it
  static ChildStreams open(
      LaunchSpec spec, FifoPool fifos, Keeper keeper, int devNull, boolean give, int ttyGid)
      throws LaunchException {
    ChildStreams streams = new ChildStreams(fifos, keeper);
    try {
      switch (spec.stdio()) {
        case Stdio.Pipes(boolean wantsStdin) -> streams.openPipes(spec, wantsStdin, devNull, give);
        case Stdio.Terminal(PtySize size) -> streams.openTerminal(spec, size, give, ttyGid);
      }
      return streams;
    } catch (LaunchException failure) {
      streams.discard();
      throw failure;
    }
  }

  private void openPipes(LaunchSpec spec, boolean wantsStdin, int devNull, boolean give)
      throws LaunchException {
    Prepared outputs = take(spec, fifos.takeForOutput(spec.processId()));
    Fifo out = outputs.fifos().getFirst();
    stdout = out;
    Fifo err = outputs.fifos().getLast();
    stderr = err;
    kept(outputs);
    tell(Child.FIFO_STDOUT, out);
    tell(Child.FIFO_STDERR, err);
    forChild(spec, out.writeFd(), Fcntl.O_WRONLY, give);
    forChild(spec, err.writeFd(), Fcntl.O_WRONLY, give);
    stdinFd = devNull;
    if (wantsStdin) {
      Prepared input = take(spec, fifos.takeForInput(spec.processId()));
      Fifo in = input.fifos().getFirst();
      stdin = in;
      kept(input);
      tell(Child.FIFO_STDIN, in);
      forChild(spec, in.readFd(), Fcntl.O_RDONLY, give);
      stdinFd = in.readFd();
    }
  }

  private Prepared take(LaunchSpec spec, Prepared prepared) throws LaunchException {
    if (prepared.error() < 0) {
      throw LaunchFailures.resources("no pipe for command '" + spec.cmd() + "'", prepared.error());
    }
    taken.add(prepared);
    return prepared;
  }

  private void kept(Prepared prepared) {
    kept(prepared.box(), prepared.unkept());
  }

  private void kept(@Nullable Box box, @Nullable String unkept) {
    if (box != null) {
      box.use();
      boxes.add(box);
    }
    String why = unkept == null ? keeper.problem() : unkept;
    if (why != null) {
      facts.put(Child.KEEPER, why);
    }
  }

  private void tell(String key, Fifo fifo) {
    if (fifo.path() == null) {
      facts.put(Child.PIPES, "anonymous");
    } else {
      facts.put(key, fifo.path());
    }
  }

  /// The child's end blocks, as programs expect, and belongs to the user, so that `/dev/stdout` can be opened again.
  private static void forChild(LaunchSpec spec, int fd, int accessMode, boolean give)
      throws LaunchException {
    Posix.fcntl(fd, Fcntl.F_SETFL, accessMode);
    int given = give ? Posix.fchown(fd, spec.user().uid(), spec.user().gid()) : 0;
    if (given < 0) {
      throw new LaunchException(
          Reason.USER_SWITCH_DENIED,
          "cannot give the pipes of command '%s' to user '%s': %s"
              .formatted(spec.cmd(), spec.user().name(), Errno.describe(given)));
    }
  }

  private void openTerminal(LaunchSpec spec, PtySize size, boolean give, int ttyGid)
      throws LaunchException {
    String what = "no terminal for command '" + spec.cmd() + "'";
    Fifo between = take(spec, fifos.takeUnkept(spec.processId())).fifos().getFirst();
    carrier = between;
    tell(Child.FIFO_PTY, between);
    master = orThrow(what, Terminals.openMaster());
    masterForInput = orThrow(what, Posix.dup(master));
    orThrow(what, Terminals.setSize(master, size.columns(), size.rows()));
    slave = "/dev/pts/" + orThrow(what, Terminals.slaveNumber(master));
    facts.put(Child.PTY, slave);
    FileStatus status = Posix.status(slave);
    if (status == null) {
      throw new LaunchException(
          Reason.INTERNAL, what + ": " + slave + " is not there (is devpts mounted on /dev/pts?)");
    }
    if (give && (status.uid() != spec.user().uid() || status.permissions() != S_GROUP_WRITES)) {
      int group = ttyGid >= 0 ? ttyGid : spec.user().gid();
      orThrow(what, Posix.chown(slave, spec.user().uid(), group));
      orThrow(what, Posix.chmod(slave, ttyGid >= 0 ? S_GROUP_WRITES : 0600));
    }
    keepTerminal(spec.processId(), master, between.readFd());
  }

  private void keepTerminal(String processId, int openMaster, int carrierFd) {
    int[] error = new int[1];
    int[] ends = {openMaster, carrierFd};
    Box box = Box.of(processId, -1, ChildDescriptors.TERMINAL, ends, error);
    if (box == null) {
      kept(null, Box.refusal(error[0]));
      return;
    }
    keeper.add(box);
    keeper.flush();
    kept(box, box.refused());
  }

  private static int orThrow(String what, int result) throws LaunchException {
    if (result < 0) {
      throw LaunchFailures.resources(what, result);
    }
    return result;
  }

  /// The child's 0, 1 and 2. A terminal is opened by the child, a session leader by then, and so becomes its own.
  void map(Spawn spawn) {
    if (stdout == null || stderr == null) {
      spawn.open(0, slave, Fcntl.O_RDWR);
      spawn.dup2(0, 1);
      spawn.dup2(0, 2);
    } else {
      spawn.dup2(stdinFd, 0);
      spawn.dup2(stdout.writeFd(), 1);
      spawn.dup2(stderr.writeFd(), 2);
    }
  }

  /// The child has its own copies now; without this no stream would ever end.
  void closeChildEnds() {
    if (stdout != null && stderr != null) {
      Posix.close(stdout.writeFd());
      Posix.close(stderr.writeFd());
    }
    if (stdin != null) {
      Posix.close(stdin.readFd());
    }
  }

  /// The child runs. With a pidfd its exit status is kept too.
  ///
  /// @param pidfd -1 when there is none
  void started(String processId, int pidfd) {
    if (boxes.isEmpty()) {
      return;
    }
    Box first = boxes.getFirst(); // that of output
    int added = pidfd < 0 ? 0 : first.add(processId, Child.EXIT, pidfd);
    if (added < 0) {
      facts.put(Child.KEEPER, "its exit: " + Box.refusal(added));
    }
    first.seal();
  }

  /// What the keeper has of it.
  List<Box> boxes() {
    return boxes;
  }

  Map<String, String> facts() {
    return facts;
  }

  ChildOutput output() {
    if (carrier != null) {
      return new ChildOutput.Terminal(master, carrier.readFd(), carrier.writeFd());
    }
    if (stdout == null || stderr == null) {
      throw new IllegalStateException("streams that were not opened");
    }
    return new ChildOutput.Pipes(stdout.readFd(), stderr.readFd());
  }

  /// -1 without stdin.
  int inputFd() {
    return stdin != null ? stdin.writeFd() : masterForInput;
  }

  /// Closes and removes everything, on both sides.
  void discard() {
    boxes.forEach(keeper::remove);
    taken.forEach(fifos::discard);
    if (master >= 0) {
      Posix.close(master);
    }
    if (masterForInput >= 0) {
      Posix.close(masterForInput);
    }
  }
}

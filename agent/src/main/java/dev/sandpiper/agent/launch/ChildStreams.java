package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.launch.LaunchException.Reason;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Spawn;
import dev.sandpiper.agent.posix.Terminals;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The descriptors of one start, on both sides, until the child has them.
///
/// Opened before the identity changes, mapped into the child by {@link #map}; then either {@link #closeChildEnds} after
/// a success or {@link #discard} after a failure, which leaves nothing.
final class ChildStreams {
  private static final int S_GROUP_WRITES = 0620; // what mesg(1) and write(1) expect of a terminal

  private final FifoPool fifos;
  private final Map<String, String> facts = new HashMap<>(8);
  private @Nullable Fifo stdin;
  private @Nullable Fifo stdout;
  private @Nullable Fifo stderr;
  private @Nullable Fifo carrier;
  private int stdinFd = -1;
  private int master = -1;
  private int masterForInput = -1;
  private String slave = "";

  private ChildStreams(FifoPool fifos) {
    this.fifos = fifos;
  }

  /// @param give whether the user differs from the agent, so that the child's ends have to be given to it
  static ChildStreams open(LaunchSpec spec, FifoPool fifos, int devNull, boolean give, int ttyGid)
      throws LaunchException {
    ChildStreams streams = new ChildStreams(fifos);
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
    Fifo out = take(spec, Child.FIFO_STDOUT);
    stdout = out;
    Fifo err = take(spec, Child.FIFO_STDERR);
    stderr = err;
    forChild(spec, out.writeFd(), Fcntl.O_WRONLY, give);
    forChild(spec, err.writeFd(), Fcntl.O_WRONLY, give);
    stdinFd = devNull;
    if (wantsStdin) {
      Fifo in = take(spec, Child.FIFO_STDIN);
      stdin = in;
      forChild(spec, in.readFd(), Fcntl.O_RDONLY, give);
      stdinFd = in.readFd();
    }
  }

  private Fifo take(LaunchSpec spec, String key) throws LaunchException {
    Fifo fifo = fifos.take();
    if (fifo.readFd() < 0) {
      throw LaunchFailures.resources("no pipe for command '" + spec.cmd() + "'", fifo.readFd());
    }
    if (fifo.path() == null) {
      facts.put(Child.PIPES, "anonymous");
    } else {
      facts.put(key, fifo.path());
    }
    return fifo;
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
    carrier = take(spec, Child.FIFO_PTY);
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
    discard(stdin);
    discard(stdout);
    discard(stderr);
    discard(carrier);
    if (master >= 0) {
      Posix.close(master);
    }
    if (masterForInput >= 0) {
      Posix.close(masterForInput);
    }
  }

  /// Not back into the pool: its owner may have been changed, and its path told.
  private void discard(@Nullable Fifo fifo) {
    if (fifo != null) {
      fifo.closeEnds();
      if (fifo.path() != null) {
        fifos.retire(fifo.path());
      }
    }
  }
}

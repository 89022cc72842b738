package dev.sandpiper.agent.launch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Terminals;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The agent's ends of one process's streams, whoever started it: input, output until it is taken, FIFOs, and what the keeper
/// keeps of them. Thread-safe; under its lock are system calls that never block.
final class ChildDescriptors {
  /// Behind the path of a stdin FIFO that has got its end of input, so that a later agent does not open it again.
  static final String ENDED = ".ended";

  // Names of descriptors that are sent together.
  static final String PIPES = Child.STDOUT + " " + Child.STDERR;
  private static final String PIPES_AND_EXIT = PIPES + " " + Child.EXIT;
  static final String TERMINAL = Child.MASTER + " " + Child.CARRIER;
  private static final String TERMINAL_AND_EXIT = TERMINAL + " " + Child.EXIT;

  private final String processId;
  private final boolean terminal;
  private final FifoPool fifos;
  private final Keeper keeper;
  private volatile Map<String, String> facts;
  private final ChildOutput ends;
  private final Set<String> retired = Collections.synchronizedSet(new HashSet<>(4));

  /// Null once it was handed over.
  @GuardedBy("this")
  private @Nullable ChildOutput output;

  /// The stdin pipe, or a duplicate of the master; -1 when closed.
  @GuardedBy("this")
  private int inputFd;

  @GuardedBy("this")
  private boolean inputClosed;

  @GuardedBy("this")
  private final List<Box> boxes;

  private volatile boolean inputPathEnded;

  ChildDescriptors(
      String processId,
      ChildOutput output,
      int inputFd,
      Map<String, String> facts,
      List<Box> kept,
      FifoPool fifos,
      Keeper keeper) {
    this.processId = processId;
    this.output = output;
    this.ends = output;
    this.inputFd = inputFd;
    this.terminal = output instanceof ChildOutput.Terminal;
    this.facts = Map.copyOf(facts);
    boxes = new ArrayList<>(kept);
    this.fifos = fifos;
    this.keeper = keeper;
  }

  ChildOutput output(Object owner) {
    synchronized (this) {
      ChildOutput taken = output;
      if (taken == null) {
        throw new IllegalStateException("the output of " + owner + " has been taken already");
      }
      output = null;
      return taken;
    }
  }

  Map<String, String> facts() {
    return facts;
  }

  /// Rare: most processes never get another one.
  private synchronized void fact(String key, String value) {
    Map<String, String> more = new HashMap<>(facts);
    more.put(key, value);
    facts = Map.copyOf(more);
  }

  // --- The keeper. ---

  /// Hands everything to the keeper that it does not have, from its next flush on; before any of it has been handed over.
  void keep(int exitFd) {
    int[] error = new int[1];
    boolean watched = exitFd >= 0;
    synchronized (this) {
      int stdin = terminal || inputClosed ? -1 : inputFd;
      Box box =
          switch (ends) {
            case ChildOutput.Pipes(int stdout, int stderr) ->
                Box.of(
                    processId,
                    stdin,
                    watched ? PIPES_AND_EXIT : PIPES,
                    watched ? new int[] {stdout, stderr, exitFd} : new int[] {stdout, stderr},
                    error);
            case ChildOutput.Terminal(int master, int read, int _) ->
                Box.of(
                    processId,
                    stdin,
                    watched ? TERMINAL_AND_EXIT : TERMINAL,
                    watched ? new int[] {master, read, exitFd} : new int[] {master, read},
                    error);
          };
      add(box, error[0]);
    }
  }

  /// One descriptor more, from the keeper's next flush on.
  synchronized void keep(String name, int fd) {
    int[] error = new int[1];
    add(Box.of(processId, -1, name, new int[] {fd}, error), error[0]);
  }

  void keepNow(String name, int fd) {
    keep(name, fd);
    keeper.flush(); // rare, and what follows may be acknowledged at once
    String why = keptLast();
    if (why != null) {
      fact(Child.KEEPER, why);
    }
  }

  private synchronized @Nullable String keptLast() {
    return boxes.isEmpty() ? null : boxes.getLast().refused();
  }

  @GuardedBy("this")
  private void add(@Nullable Box box, int error) {
    if (box == null) {
      fact(Child.KEEPER, Box.refusal(error));
    } else {
      box.seal();
      box.use();
      boxes.add(box);
      keeper.add(box);
    }
  }

  // --- Input. ---

  /// An earlier agent has ended the input already, and the FIFO has its other name.
  void inputHasEnded() {
    synchronized (this) {
      inputClosed = true;
    }
    inputPathEnded = true;
  }

  synchronized int inputFd() {
    return inputClosed ? -1 : inputFd;
  }

  synchronized long writeInput(ByteBuffer direct) {
    return inputClosed || inputFd < 0 ? -Errno.EBADF : Posix.write(inputFd, direct);
  }

  /// @param over whether the process is known to have exited, so that nobody waits for this end
  void closeInput(boolean over) {
    if (!endInput()) {
      return;
    }
    String path = facts.get(Child.FIFO_STDIN);
    if (path != null && !over) { // else close() does it, soon
      Posix.rename(path, path + ENDED);
      inputPathEnded = true;
      fifos.retireInput(path + ENDED, true);
    }
  }

  private synchronized boolean endInput() {
    boolean first = !inputClosed;
    inputClosed = true;
    if (first && !terminal) { // a terminal's duplicate is still wanted for its size
      boxes.forEach(Box::releaseInput);
      closeInputFd();
    }
    return first;
  }

  @GuardedBy("this")
  private void closeInputFd() {
    if (inputFd >= 0) {
      Posix.close(inputFd);
      inputFd = -1;
    }
  }

  synchronized int resize(PtySize size) {
    if (!terminal) {
      return -Errno.ENOTTY;
    }
    return inputFd < 0 ? -Errno.EBADF : Terminals.setSize(inputFd, size.columns(), size.rows());
  }

  // --- Ends. ---

  void outputDrained(String fifoKey) {
    String path = facts.get(fifoKey);
    if (path == null || !retired.add(fifoKey)) {
      return;
    }
    if (fifoKey.equals(Child.FIFO_STDIN)) {
      // a background child may still open it
      fifos.retireInput(inputPathEnded ? path + ENDED : path, false);
    } else {
      fifos.retire(path);
    }
  }

  /// Lets go of everything that is left.
  void close() {
    endInput();
    ChildOutput left;
    List<Box> kept;
    synchronized (this) {
      closeInputFd();
      left = output;
      output = null;
      kept = List.copyOf(boxes);
      boxes.clear();
    }
    kept.forEach(keeper::remove);
    switch (left) {
      case null -> {} // taken, and closed by whoever took it
      case ChildOutput.Pipes(int stdout, int stderr) -> closeAll(stdout, stderr);
      case ChildOutput.Terminal(int master, int read, int write) -> closeAll(master, read, write);
    }
    outputDrained(Child.FIFO_STDIN);
    outputDrained(Child.FIFO_STDOUT);
    outputDrained(Child.FIFO_STDERR);
    outputDrained(Child.FIFO_PTY);
  }

  private static void closeAll(int... fds) {
    for (int fd : fds) {
      Posix.close(fd);
    }
  }
}

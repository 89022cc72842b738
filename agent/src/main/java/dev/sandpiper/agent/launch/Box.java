package dev.sandpiper.agent.launch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Sockets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Descriptors of one process that have to outlive the agent, in the queue of a socket of their own.
///
/// The keeper holds the socket, and so the queue, open; the agent holds it too, and lets go of everything in it by emptying the
/// queue, whoever else has the socket. That is what makes an end of input or a hang-up possible at once. What is to go before
/// the rest, the way into the process, lies in the first message. Thread-safe.
///
/// A box is made before there is a process, and named by the path of a FIFO then; what is added once there is one names the process.
final class Box {
  private static final String SEPARATOR = "\n";
  private static final int SEALED = -1;

  private final int fd;

  /// What goes in here lies in the box.
  @GuardedBy("this")
  private int entrance;

  @GuardedBy("this")
  private boolean hasInput;

  @GuardedBy("this")
  private boolean released;

  private volatile boolean inUse;
  private volatile @Nullable String refused;

  private Box(int fd, int entrance, boolean hasInput) {
    this.fd = fd;
    this.entrance = entrance;
    this.hasInput = hasInput;
  }

  /// What lies in a box.
  ///
  /// @param name a process id, or the path of a FIFO that was given to one
  /// @param descriptors new ones of the agent's, by name; whoever gets them closes them
  record Content(String name, Map<String, Integer> descriptors, boolean complete) {}

  /// A box with these descriptors, which stay the caller's too. Null with `error[0]` set to `-errno` where the kernel refuses. More
  /// can be added until it is sealed.
  ///
  /// @param name a process id, or the path of a FIFO
  /// @param stdin what {@link #releaseInput} lets go; -1 for none
  /// @param names of `descriptors`, with a space between them
  static @Nullable Box of(String name, int stdin, String names, int[] descriptors, int[] error) {
    int[] pair = new int[2];
    error[0] = Sockets.pair(pair);
    if (error[0] < 0) {
      return null;
    }
    int sent = stdin < 0 ? 1 : send(pair[0], name, Child.STDIN, new int[] {stdin});
    if (sent > 0 && descriptors.length > 0) {
      sent = send(pair[0], name, names, descriptors);
    }
    if (sent < 0) {
      error[0] = sent;
      Posix.close(pair[0]);
      Posix.close(pair[1]);
      return null;
    }
    return new Box(pair[1], pair[0], stdin >= 0);
  }

  private static int send(int fd, String name, String names, int[] descriptors) {
    return Sockets.send(fd, name + SEPARATOR + names, descriptors, descriptors.length);
  }

  /// One descriptor more, which stays the caller's too, and who it belongs to: positive, or `-errno`.
  synchronized int add(String processId, String name, int descriptor) {
    return send(entrance, processId, name, new int[] {descriptor});
  }

  /// Nothing more goes in; what is in the queue stays in it.
  synchronized void seal() {
    if (entrance != SEALED) {
      Posix.close(entrance);
      entrance = SEALED;
    }
  }

  /// A box that an earlier agent made, and what is in it; the box has the descriptor from now on. Null when it is empty or not
  /// understood: it is then closed, and nothing was taken out.
  static @Nullable Opened open(int fd) {
    Sockets.peekFrom(fd, 0);
    Map<String, Integer> descriptors = new HashMap<>();
    String name = "";
    boolean complete = true;
    int messages = 0;
    for (Sockets.Message message = Sockets.peek(fd); message != null; message = Sockets.peek(fd)) {
      String[] parts = message.text().split(SEPARATOR, 2);
      List<String> names = parts.length < 2 ? List.of() : List.of(parts[1].split(" ", -1));
      name = parts[0]; // the last one knows best
      complete &= message.complete();
      messages++;
      for (int i = 0; i < message.descriptors().size(); i++) {
        int descriptor = message.descriptors().get(i);
        if (i >= names.size() || descriptors.putIfAbsent(names.get(i), descriptor) != null) {
          Posix.close(descriptor);
        }
      }
    }
    if (messages == 0) {
      Posix.close(fd);
      return null;
    }
    boolean hasInput = descriptors.containsKey(Child.STDIN);
    return new Opened(new Box(fd, SEALED, hasInput), new Content(name, descriptors, complete));
  }

  record Opened(Box box, Content content) {}

  int fd() {
    return fd;
  }

  /// A process has it from now on.
  void use() {
    inUse = true;
  }

  /// Whether anything would be missed if it were gone.
  boolean inUse() {
    return inUse;
  }

  /// Why the keeper does not have it; null when it does.
  @Nullable String refused() {
    return refused;
  }

  void refused(@Nullable String why) {
    refused = why;
  }

  /// Lets go of the way into the process; later calls have no effect.
  synchronized void releaseInput() {
    if (hasInput && !released) {
      hasInput = false;
      Sockets.drop(fd);
    }
  }

  /// Lets go of everything. May be called twice; says whether this was the first time.
  synchronized boolean release() {
    if (released) {
      return false;
    }
    released = true;
    seal();
    while (Sockets.drop(fd) > 0) {
      // Each turn takes one message.
    }
    Posix.close(fd);
    return true;
  }

  /// The reason in words, for a process's facts.
  static String refusal(int error) {
    return switch (-error) {
      case Errno.ETOOMANYREFS -> "this user has too many descriptors in queues (ETOOMANYREFS)";
      case Errno.EAGAIN -> "its queue is full (EAGAIN)";
      default -> Errno.describe(error);
    };
  }
}

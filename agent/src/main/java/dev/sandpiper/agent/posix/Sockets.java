package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Pairs of connected sockets that carry open descriptors (unix(7), `SCM_RIGHTS`).
///
/// A descriptor that lies in a queue is as open as one that a process holds. All sockets here are `SOCK_SEQPACKET`, close-on-exec
/// and non-blocking: a message is sent and received whole. Results are the kernel's, as in {@link Posix}.
public final class Sockets {
  /// What one message may carry (`SCM_MAX_FD`).
  public static final int MOST_DESCRIPTORS = 253;

  /// Of a message's text, in bytes.
  public static final int MOST_TEXT = 2048;

  private static final int AF_UNIX = 1;
  private static final int SOCK_SEQPACKET = 5;
  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;
  private static final int SO_PEEK_OFF = 42;
  private static final int MSG_PEEK = 2;
  private static final int MSG_CTRUNC = 8;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;

  // struct msghdr, one struct iovec, the control message and the text, in a thread's scratch
  // memory.
  private static final int NAME = 0;
  private static final int NAME_LENGTH = 8;
  private static final int IOV = 16;
  private static final int IOV_COUNT = 24;
  private static final int CONTROL = 32;
  private static final int CONTROL_LENGTH = 40;
  private static final int FLAGS = 48;
  private static final int IOV_AT = 64;
  private static final int CONTROL_AT = 128;
  private static final int CONTROL_HEAD = 16; // struct cmsghdr: length, level, type
  private static final int TEXT_AT = 1536;

  private Sockets() {}

  /// One message.
  ///
  /// @param descriptors new ones of the receiver's, which it has to close
  /// @param complete false when the receiver had no room for some of the descriptors
  public record Message(String text, List<Integer> descriptors, boolean complete) {
    public Message {
      descriptors = List.copyOf(descriptors);
    }
  }

  /// socketpair(2).
  public static int pair(int[] fds) {
    Scratch scratch = Scratch.mine();
    int type = SOCK_SEQPACKET | Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK;
    int result =
        (int)
            Kernel.syscall(
                scratch, Abi.SOCKETPAIR, AF_UNIX, type, 0, scratch.struct.address(), 0, 0);
    if (result == 0) {
      fds[0] = scratch.struct.get(JAVA_INT, 0);
      fds[1] = scratch.struct.get(JAVA_INT, 4);
    }
    return result;
  }

  /// Sends one message, which must not be empty: `-EAGAIN` when the queue is full, `-ETOOMANYREFS` when this user has too many
  /// descriptors in queues.
  ///
  /// @param count how many of `descriptors` to send, from the first
  public static int send(int fd, String text, int[] descriptors, int count) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    if (bytes.length == 0 || bytes.length > MOST_TEXT || count > MOST_DESCRIPTORS) {
      throw new IllegalArgumentException(
          "a message of %d bytes with %d descriptors".formatted(bytes.length, count));
    }
    Scratch scratch = Scratch.mine();
    MemorySegment memory = scratch.struct;
    MemorySegment.copy(bytes, 0, memory, JAVA_BYTE, TEXT_AT, bytes.length);
    int control = count == 0 ? 0 : CONTROL_HEAD + 4 * count;
    head(memory, bytes.length, control == 0 ? 0 : (control + 7) & ~7);
    if (control > 0) {
      memory.set(JAVA_LONG, CONTROL_AT, control);
      memory.set(JAVA_INT, CONTROL_AT + 8, SOL_SOCKET);
      memory.set(JAVA_INT, CONTROL_AT + 12, SCM_RIGHTS);
      MemorySegment.copy(descriptors, 0, memory, JAVA_INT, CONTROL_AT + CONTROL_HEAD, count);
    }
    return (int)
        Kernel.syscall(scratch, Abi.SENDMSG, fd, memory.address(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /// Looks at the next message without taking it, see {@link #peekFrom}. Null when there is none.
  public static @Nullable Message peek(int fd) {
    Scratch scratch = Scratch.mine();
    MemorySegment memory = scratch.struct;
    head(memory, MOST_TEXT, CONTROL_HEAD + 4 * MOST_DESCRIPTORS + 4);
    int flags = MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    int length = (int) Kernel.syscall(scratch, Abi.RECVMSG, fd, memory.address(), flags);
    if (length <= 0) {
      return null;
    }
    byte[] text = memory.asSlice(TEXT_AT, length).toArray(JAVA_BYTE);
    long control = memory.get(JAVA_LONG, CONTROL_LENGTH);
    Integer[] descriptors = new Integer[0];
    if (control >= CONTROL_HEAD
        && memory.get(JAVA_INT, CONTROL_AT + 8) == SOL_SOCKET
        && memory.get(JAVA_INT, CONTROL_AT + 12) == SCM_RIGHTS) {
      int count = (int) (memory.get(JAVA_LONG, CONTROL_AT) - CONTROL_HEAD) / 4;
      descriptors = new Integer[count];
      for (int i = 0; i < count; i++) {
        descriptors[i] = memory.get(JAVA_INT, CONTROL_AT + CONTROL_HEAD + 4L * i);
      }
    }
    return new Message(
        new String(text, StandardCharsets.UTF_8),
        List.of(descriptors),
        (memory.get(JAVA_INT, FLAGS) & MSG_CTRUNC) == 0);
  }

  /// Where the next {@link #peek} begins, in bytes of text; each peek moves it on by what it saw (`SO_PEEK_OFF`). Without this
  /// call every peek sees the first message.
  public static int peekFrom(int fd, int offset) {
    Scratch scratch = Scratch.mine();
    scratch.struct.set(JAVA_INT, 0, offset);
    return (int)
        Kernel.syscall(
            scratch, Abi.SETSOCKOPT, fd, SOL_SOCKET, SO_PEEK_OFF, scratch.struct.address(), 4, 0);
  }

  /// Takes one message out and lets go of what it carries: positive, or `-EAGAIN` when there was none.
  public static int drop(int fd) {
    Scratch scratch = Scratch.mine();
    MemorySegment memory = scratch.struct;
    head(memory, MOST_TEXT, 0); // no room for descriptors: the kernel closes them
    return (int) Kernel.syscall(scratch, Abi.RECVMSG, fd, memory.address(), MSG_DONTWAIT);
  }

  private static void head(MemorySegment memory, int text, int control) {
    long address = memory.address();
    memory.set(JAVA_LONG, NAME, 0);
    memory.set(JAVA_LONG, NAME_LENGTH, 0);
    memory.set(JAVA_LONG, IOV, address + IOV_AT);
    memory.set(JAVA_LONG, IOV_COUNT, 1);
    memory.set(JAVA_LONG, CONTROL, control == 0 ? 0 : address + CONTROL_AT);
    memory.set(JAVA_LONG, CONTROL_LENGTH, control);
    memory.set(JAVA_LONG, FLAGS, 0);
    memory.set(JAVA_LONG, IOV_AT, address + TEXT_AT);
    memory.set(JAVA_LONG, IOV_AT + 8, text);
  }
}

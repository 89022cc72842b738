package dev.sandpiper.agent.launch;

import java.nio.ByteBuffer;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One process: its descriptors, its exit and the right to signal it. A process that this agent did not start, but took
/// over from an earlier one, is another implementation. Thread-safe; no method blocks.
///
/// Order of a life: {@link #output} once; {@link #peekExit} when {@link #pidfd} is readable; {@link #reap} soon after
/// (until then the exited leader is a zombie, so that its group id cannot be reused); {@link #outputDrained} for each
/// stream; {@link #close} last.
public interface Child {
  /// Keys of {@link #facts}: paths of the FIFOs in use. Absent where the child has anonymous pipes. With `.ended` behind it
  /// the path of a stdin that has got its end.
  String FIFO_STDIN = "fifo.stdin";

  String FIFO_STDOUT = "fifo.stdout";
  String FIFO_STDERR = "fifo.stderr";
  String FIFO_PTY = "fifo.pty";

  /// `anonymous` where no FIFO could be made: the output does not survive the agent.
  String PIPES = "pipes";

  /// The slave's path, such as `/dev/pts/3`.
  String PTY = "pty";

  /// `thread` where the kernel has no pidfds and a thread waits for the exit instead.
  String EXIT_WATCH = "exit_watch";

  /// `shell` where the soft limit on open files had to be set by a shell (design decision on limits).
  String OPEN_FILES_LIMIT = "open_files_limit";

  /// Why the keeper does not hold (all of) its descriptors: what is lost if the agent is killed.
  String KEEPER = "keeper";

  /// `keeper`, `paths`, `handed_down` or `nothing`: where a later agent had its descriptors from. Absent otherwise.
  String ADOPTED = "adopted";

  /// A sentence that says what was lost when it was taken over from an earlier agent. Absent where nothing was.
  String LOST = "lost";

  /// Names of descriptors, in {@link Keeper} and {@link Inherited}: the agent's ends.
  String STDIN = "stdin";

  String STDOUT = "stdout";
  String STDERR = "stderr";
  String MASTER = "master";

  /// The read end of the FIFO between a terminal and the log.
  String CARRIER = "carrier";

  /// The pidfd.
  String EXIT = "exit";

  /// Name of one more descriptor for the keeper: the file that input with offsets passes through. It lies beside the FIFO that the
  /// input goes to, a terminal's output for a terminal, under the same name with [#INPUT_SUFFIX] behind it.
  String INPUT = "input";

  String INPUT_SUFFIX = ".input";

  int pid();

  /// Reads the start time on the first call (about 10 µs); not wanted on the way to the pid.
  ProcessIdentity identity();

  /// Readable when the leader has exited. The child's own: never closed by others, gone with {@link #close}; remove it
  /// from epoll first.
  int pidfd();

  /// The output descriptors. The first call hands them over; another one throws `IllegalStateException`.
  ChildOutput output();

  /// Has the keeper hold one more descriptor, which stays the caller's too; sent when this returns.
  void keep(String name, int fd);

  /// A descriptor of that name that an earlier agent has had kept, to be closed by the caller; -1 when there is none.
  default int kept(String name) {
    return -1;
  }

  /// What a later agent needs to find this process's descriptors again, and what is unusual about it. For the journal.
  Map<String, String> facts();

  /// The exit, once the leader has ended; null while it runs. The leader stays unreaped.
  @Nullable Exit peekExit();

  /// Collects the leader, after which its pid may belong to another process. Only after {@link #peekExit} was not null
  /// (`IllegalStateException` otherwise); a second call answers the same.
  Exit reap();

  /// What the process used; known from {@link #reap} on, null where the kernel does not say.
  @Nullable Usage usage();

  /// Sends a signal: 0, or `-errno` (`-ESRCH` where nobody is left to get it). It reaches this process or group and no
  /// other, also when the pid has been reused since. An exited but unreaped leader takes signals without effect.
  int signal(int signal, Scope scope);

  /// Where input goes, non-blocking; -1 when there is none or it was closed. For a terminal a duplicate of the master.
  int inputFd();

  /// write(2) to the input: bytes taken (the buffer's position advances), `-EAGAIN` when full, `-EPIPE` when nobody
  /// reads any more, `-EBADF` when closed.
  long writeInput(ByteBuffer direct);

  /// The child reads end of file after what was written. Nothing happens on a second call. A terminal has no end of
  /// input: this then only ends the agent's own writing.
  void closeInput();

  /// Sets a terminal's size: 0 or `-errno`; `-ENOTTY` when the process has none.
  int resize(PtySize size);

  /// This stream is at its end and its FIFO (one of the `FIFO_…` keys) has no further use: it is unlinked.
  void outputDrained(String fifoKey);

  /// Lets everything go that is left: input, pidfd, FIFOs, output nobody took. Does not touch the process, but an
  /// exited leader is reaped. May be called twice.
  void close();
}

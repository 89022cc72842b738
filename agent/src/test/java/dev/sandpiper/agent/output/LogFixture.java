package dev.sandpiper.agent.output;

import dev.sandpiper.agent.output.epoll.EpollPipeLoop;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/// A store on a real directory with a real pipe loop, and pipes to print into.
final class LogFixture implements AutoCloseable {
  static final Set<StreamName> BOTH = EnumSet.of(StreamName.STDOUT, StreamName.STDERR);
  static final Set<StreamName> ONE = EnumSet.of(StreamName.STDOUT);

  final Path directory;
  final EpollPipeLoop loop = new EpollPipeLoop();
  final OutputStore store;
  private final List<Process> children = new ArrayList<>();

  LogFixture(Path directory, OutputSettings settings) {
    this(directory, settings, Clock.SYSTEM);
  }

  LogFixture(Path directory, OutputSettings settings, Clock clock) {
    this.directory = directory;
    this.store = OutputStore.open(directory, settings, loop, clock);
  }

  static OutputSettings retention(long bytes) {
    return new OutputSettings(
        bytes, Math.max(bytes * 4, 1 << 20), 100, true, Duration.ofSeconds(5));
  }

  static OutputSettings retention(long bytes, Duration stallLimit) {
    return new OutputSettings(bytes, Math.max(bytes * 4, 1 << 20), 100, true, stallLimit);
  }

  /// A pipe whose read end feeds a stream of the log.
  Printer attach(OutputLog log, StreamName stream) {
    int[] fds = new int[2];
    check(Posix.pipe2(fds, Fcntl.O_CLOEXEC));
    check(Posix.setNonBlocking(fds[0], true));
    Posix.fcntl(fds[0], Fcntl.F_SETPIPE_SZ, 256 * 1024);
    log.attach(stream, new OutputSource.Pipe(fds[0], () -> {}));
    return new Printer(fds[1]);
  }

  /// A shell command whose standard output goes, through a FIFO, into the log.
  Process attachShell(OutputLog log, StreamName stream, String command) throws IOException {
    Path fifo = Files.createTempDirectory("sandpiper-test").resolve("fifo");
    check(Posix.mkfifo(fifo.toString(), 0600));
    int read =
        check(Posix.open(fifo.toString(), Fcntl.O_RDONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0));
    // Held until the child has it, so that the stream does not end before it begins.
    int write = check(Posix.open(fifo.toString(), Fcntl.O_WRONLY | Fcntl.O_CLOEXEC, 0));
    Posix.fcntl(read, Fcntl.F_SETPIPE_SZ, 256 * 1024);
    Process child =
        new ProcessBuilder("/bin/sh", "-c", command)
            .redirectOutput(fifo.toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    children.add(child);
    Posix.close(write);
    Files.delete(fifo);
    Files.delete(fifo.getParent());
    log.attach(stream, new OutputSource.Pipe(read, () -> {}));
    return child;
  }

  List<String> files() {
    try (Stream<Path> all = Files.list(directory)) {
      return all.map(file -> file.getFileName().toString()).sorted().toList();
    } catch (IOException failure) {
      throw new IllegalStateException(failure);
    }
  }

  static int check(int result) {
    if (result < 0) {
      throw new IllegalStateException(Errno.describe(result));
    }
    return result;
  }

  @Override
  public void close() {
    children.forEach(Process::destroyForcibly);
    store.close();
    loop.close();
  }

  /// The write end of a pipe.
  static final class Printer implements AutoCloseable {
    private final int fd;
    private boolean closed;

    Printer(int fd) {
      this.fd = fd;
    }

    /// Blocks while the pipe is full, as a command would.
    void print(byte[] bytes) {
      ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
      while (direct.hasRemaining()) {
        long count = Posix.write(fd, direct);
        if (count < 0) {
          throw new IllegalStateException(Errno.describe(count));
        }
      }
    }

    void print(String text) {
      print(text.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }

    @Override
    public void close() {
      if (!closed) {
        closed = true;
        Posix.close(fd);
      }
    }
  }
}

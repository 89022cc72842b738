package dev.sandpiper.agent.output;

import dev.sandpiper.agent.output.epoll.EpollPipeLoop;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.concurrent.CountDownLatch;

/// An agent with nothing but an output log, for [CrashTest] to kill: `CrashAgent <directory> <process id> <fifo>`.
final class CrashAgent {
  private CrashAgent() {}

  @SuppressWarnings("SystemOut") // one line tells the test that the log is fed
  public static void main(String[] arguments) throws Exception {
    OutputSettings settings =
        new OutputSettings(256L << 20, 4L << 30, 100, true, Duration.ofSeconds(5));
    OutputStore store = OutputStore.open(Path.of(arguments[0]), settings, new EpollPipeLoop());
    OutputLog log = store.create(arguments[1], EnumSet.of(StreamName.STDOUT));
    int fifo =
        LogFixture.check(
            Posix.open(arguments[2], Fcntl.O_RDONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0));
    log.attach(StreamName.STDOUT, new OutputSource.Pipe(fifo, () -> {}));
    System.out.println("ready");
    System.out.flush();
    new CountDownLatch(1).await();
  }
}

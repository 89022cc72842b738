package dev.sandpiper.agent.output.epoll;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.output.FdWatch;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class EpollPipeLoopTest {
  private final EpollPipeLoop loop = new EpollPipeLoop();

  @AfterEach
  void close() {
    loop.close();
  }

  private static int[] pipe() {
    int[] fds = new int[2];
    assertThat(Posix.pipe2(fds, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK)).isZero();
    return fds;
  }

  private static void write(int fd, int bytes) {
    assertThat(Posix.write(fd, ByteBuffer.allocateDirect(bytes))).isEqualTo(bytes);
  }

  /// Runs on the loop and waits, so that what was asked for before has happened.
  private void settle() throws Exception {
    CompletableFuture<Boolean> done = new CompletableFuture<>();
    loop.execute(() -> done.complete(loop.inLoop()));
    assertThat(done.get(60, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void readableDescriptorIsToldUntilItIsEmpty() throws Exception {
    int[] fds = pipe();
    ByteBuffer one = ByteBuffer.allocateDirect(1);
    AtomicInteger read = new AtomicInteger();
    FdWatch watch =
        loop.watch(
            fds[0],
            () -> {
              if (Posix.read(fds[0], one.clear()) == 1) {
                read.incrementAndGet();
              }
            });
    write(fds[1], 5);
    await().until(() -> read.get() == 5);
    watch.close();
    settle();
    write(fds[1], 1);
    settle();
    assertThat(read).hasValue(5);
    Posix.close(fds[0]);
    Posix.close(fds[1]);
  }

  @Test
  void pausedDescriptorIsSilentEvenWhenTheOtherSideHangsUpAndResumesAfterwards() throws Exception {
    int[] fds = pipe();
    AtomicInteger calls = new AtomicInteger();
    CountDownLatch ended = new CountDownLatch(1);
    AtomicReference<FdWatch> watch = new AtomicReference<>();
    watch.set(
        loop.watch(
            fds[0],
            () -> {
              calls.incrementAndGet();
              ByteBuffer bytes = ByteBuffer.allocateDirect(16);
              if (Posix.read(fds[0], bytes) == 0) {
                watch.get().close();
                ended.countDown();
              }
            }));
    watch.get().pause();
    settle();
    write(fds[1], 3);
    Posix.close(fds[1]);
    settle();
    settle();
    assertThat(calls).hasValue(0);
    // Again and again: changing the interest must not lose the descriptor.
    for (int i = 0; i < 10; i++) {
      watch.get().pause();
    }
    watch.get().resume();
    assertThat(ended.await(60, TimeUnit.SECONDS)).isTrue();
    assertThat(calls.get()).isBetween(1, 3);
    settle();
    assertThat(Posix.close(fds[0])).isZero();
  }

  @Test
  void callbackThatThrowsEndsItsWatchAndNothingElse() throws Exception {
    int[] bad = pipe();
    int[] good = pipe();
    AtomicInteger badCalls = new AtomicInteger();
    CountDownLatch goodCalls = new CountDownLatch(1);
    loop.watch(
        bad[0],
        () -> {
          badCalls.incrementAndGet();
          throw new IllegalStateException("on purpose");
        });
    loop.watch(good[0], goodCalls::countDown);
    write(bad[1], 1);
    await().until(() -> badCalls.get() > 0);
    write(good[1], 1);
    assertThat(goodCalls.await(60, TimeUnit.SECONDS)).isTrue();
    settle();
    assertThat(badCalls).hasValue(1);
    loop.execute(() -> {
      throw new IllegalStateException("on purpose");
    });
    settle();
  }

  @Test
  void writableDescriptorIsToldWhenThereIsRoomAgain() throws Exception {
    int[] fds = pipe();
    ByteBuffer chunk = ByteBuffer.allocateDirect(64 * 1024);
    while (Posix.write(fds[1], chunk.clear()) != -Errno.EAGAIN) {
      // Until it is full.
    }
    AtomicReference<FdWatch> watch = new AtomicReference<>();
    CountDownLatch room = new CountDownLatch(1);
    watch.set(
        loop.watchWritable(
            fds[1],
            () -> {
              room.countDown();
              watch.get().pause();
            }));
    settle();
    settle();
    assertThat(room.getCount()).isEqualTo(1);
    assertThat(Posix.read(fds[0], chunk.clear())).isPositive();
    assertThat(room.await(60, TimeUnit.SECONDS)).isTrue();
    watch.get().close();
    settle();
    Posix.close(fds[0]);
    Posix.close(fds[1]);
  }

  @Test
  void timerRunsOnceAndNotWhenItWasCalledOff() throws Exception {
    AtomicInteger ran = new AtomicInteger();
    loop.schedule(ran::incrementAndGet, Duration.ofMillis(200)).cancel();
    CountDownLatch done = new CountDownLatch(1);
    loop.schedule(done::countDown, Duration.ofMillis(300));
    assertThat(done.await(60, TimeUnit.SECONDS)).isTrue();
    assertThat(ran).hasValue(0);
  }

  @Test
  void closedLoopDropsWhatIsAskedOfIt() {
    loop.close();
    loop.close();
    loop.execute(() -> {});
    loop.schedule(() -> {}, Duration.ofMillis(1)).cancel();
    assertThat(loop.inLoop()).isFalse();
  }
}

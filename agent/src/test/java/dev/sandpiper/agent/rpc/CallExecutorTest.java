package dev.sandpiper.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.grpc.Context;
import io.netty.channel.DefaultEventLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

final class CallExecutorTest {
  private final DefaultEventLoop loop = new DefaultEventLoop();
  private final List<Throwable> failures = new ArrayList<>();
  private final CallExecutor executor =
      new CallExecutor(loop, Dispatch.EVENT_LOOP, Context.ROOT, failures::add);

  @Test
  void whatIsToHappenAfterTheEndOfTheLoopIsDropped() throws Exception {
    var ran = new CountDownLatch(1);
    executor.execute(ran::countDown);
    assertThat(ran.await(10, TimeUnit.SECONDS)).isTrue();

    loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();

    assertThatCode(() -> executor.execute(() -> failures.add(new AssertionError("ran"))))
        .doesNotThrowAnyException();
    assertThat(failures).isEmpty();
  }
}

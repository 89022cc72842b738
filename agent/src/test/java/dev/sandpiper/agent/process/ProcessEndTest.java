package dev.sandpiper.agent.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.launch.Exit;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class ProcessEndTest {
  @Test
  void anExitCodeIsToldFromASignal() {
    assertThat(end(new Exit.Exited(137)))
        .returns(137, ProcessEnd::exitCode)
        .returns(true, ProcessEnd::exited)
        .returns("exit status 137", ProcessEnd::status);
    assertThat(end(new Exit.Signaled(9, false)))
        .returns(-1, ProcessEnd::exitCode)
        .returns(false, ProcessEnd::exited)
        .returns("signal: killed", ProcessEnd::status);
  }

  @Test
  void signalsHaveTheWordsThatClientsCompare() {
    assertThat(end(new Exit.Signaled(11, true)).status())
        .isEqualTo("signal: segmentation fault (core dumped)");
    assertThat(end(new Exit.Signaled(34, false)).status()).isEqualTo("signal: signal 34");
    for (int signal = 1; signal <= 64; signal++) {
      assertThat(end(new Exit.Signaled(signal, false)).status()).startsWith("signal: ");
    }
  }

  @Test
  void onlyExitCodeZeroIsSuccess() {
    assertThat(end(new Exit.Exited(0)).success()).isTrue();
    assertThat(end(new Exit.Exited(1)).success()).isFalse();
    assertThat(end(new Exit.Signaled(15, false)).success()).isFalse();
    assertThat(end(new Exit.Lost("no parent")).success()).isFalse();
  }

  private static ProcessEnd end(Exit exit) {
    return new ProcessEnd(exit, EndCause.EXIT, Instant.EPOCH, 0, 0, 0, null);
  }
}

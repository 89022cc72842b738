package dev.sandpiper.agent.record;

import static dev.sandpiper.agent.record.Lines.utf8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.posix.Errno;
import java.time.Duration;
import org.junit.jupiter.api.Test;

final class LineOutputTest {
  private static final byte[] BATCH = utf8("one\ntwo\nthree\n");

  private final FakeSink sink = new FakeSink();
  private final LineOutput output = new LineOutput(sink);

  private String taken() {
    return Lines.decode(sink.taken());
  }

  @Test
  void goesOnAfterAShortWrite() {
    sink.mostPerWrite(3);
    assertThat(output.write(BATCH, BATCH.length)).isZero();
    assertThat(taken()).isEqualTo("one\ntwo\nthree\n");
    assertThat(output.failing()).isFalse();
  }

  @Test
  void finishesALineThatWasBegunBeforeAnythingElse() {
    for (int room = 0; room <= BATCH.length; room++) {
      var sink = new FakeSink();
      var output = new LineOutput(sink);
      sink.take(room, Errno.EPIPE);
      int lost = output.write(BATCH, BATCH.length);
      int begun = room == 0 ? 0 : room <= 4 ? 1 : room <= 8 ? 2 : 3;
      assertThat(lost).as("room %d", room).isEqualTo(3 - begun);
      assertThat(output.failing()).isEqualTo(room < BATCH.length);
      sink.take(Long.MAX_VALUE, 0);
      byte[] next = utf8("next\n");
      assertThat(output.write(next, next.length)).isZero();
      String kept = "one\ntwo\nthree\n".substring(0, new int[] {0, 4, 8, 14}[begun]);
      assertThat(Lines.decode(sink.taken())).isEqualTo(kept + "next\n");
    }
  }

  @Test
  void keepsALineThatWasBegunThroughFurtherFailures() {
    sink.take(5, Errno.EPIPE);
    assertThat(output.write(BATCH, BATCH.length)).isEqualTo(1);
    assertThat(output.write(BATCH, BATCH.length)).isEqualTo(3);
    sink.take(1, Errno.ENOSPC);
    assertThat(output.write(BATCH, BATCH.length)).isEqualTo(3);
    assertThat(output.failure()).contains("ENOSPC");
    sink.take(Long.MAX_VALUE, 0);
    assertThat(output.finish()).isTrue();
    assertThat(taken()).isEqualTo("one\ntwo\n");
  }

  @Test
  void givesUpOnADescriptorThatTakesNothingOnlyWhenTold() throws InterruptedException {
    sink.take(5, Errno.EAGAIN);
    var lost = new int[] {-1};
    var thread = Thread.ofPlatform().start(() -> lost[0] = output.write(BATCH, BATCH.length));
    assertThat(thread.join(Duration.ofMillis(50))).isFalse();
    output.giveUpAfter(Duration.ofMillis(10));
    assertThat(thread.join(Duration.ofSeconds(60))).isTrue();
    assertThat(lost[0]).isEqualTo(1);
  }

  @Test
  void waitsForANonBlockingDescriptor() throws InterruptedException {
    sink.take(5, Errno.EAGAIN);
    var thread = Thread.ofPlatform().start(() -> output.write(BATCH, BATCH.length));
    assertThat(thread.join(Duration.ofMillis(20))).isFalse();
    sink.take(Long.MAX_VALUE, 0);
    assertThat(thread.join(Duration.ofSeconds(60))).isTrue();
    assertThat(taken()).isEqualTo("one\ntwo\nthree\n");
  }
}

package dev.sandpiper.agent.output;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TurnEndTest {
  private static final long MILLI = 1_000_000;

  private final Tasks loop = new Tasks();
  private final List<Long> rests = new ArrayList<>();
  private final List<String> woken = new ArrayList<>();
  private long now;
  private final TurnEnd turnEnd =
      new TurnEnd(loop, new Clock(InstantSource.system(), () -> now), rests::add);

  @Test
  void readersOfAllLogsAreWokenOnceWhenTheTurnIsOver() {
    turnEnd.grew(List.of(reader("a")), 10);
    turnEnd.grew(List.of(reader("b")), 10);
    assertThat(woken).isEmpty();
    assertThat(loop.run()).isEqualTo(1);
    assertThat(woken).containsExactly("a", "b");
    turnEnd.grew(List.of(reader("a")), 10);
    loop.run();
    assertThat(woken).containsExactly("a", "b", "a");
    assertThat(rests).isEmpty();
  }

  @Test
  void aReaderOfADrainedLogIsWokenOnceForThatAndTheEndOfTheProcess() {
    turnEnd.wakeSoon(List.of(reader("a")));
    turnEnd.wakeNow(List.of(reader("b")));
    assertThat(woken).containsExactly("a", "b");
    loop.run();
    assertThat(woken).containsExactly("a", "b");
  }

  @Test
  void aReaderOfADrainedLogIsWokenAlsoWhenTheProcessGoesOn() {
    turnEnd.wakeSoon(List.of(reader("a")));
    assertThat(woken).isEmpty();
    loop.run();
    assertThat(woken).containsExactly("a");
  }

  @Test
  void aReaderWhoseCallbackFailsStopsNeitherTheOthersNorTheNextTurn() {
    turnEnd.grew(List.of(failing(), reader("b")), 1);
    loop.run();
    turnEnd.grew(List.of(reader("c")), 1);
    loop.run();
    assertThat(woken).containsExactly("b", "c");
  }

  @Test
  void restsAfterATurnWhileManyStreamsPrintALittle() {
    chatter(100, 1 * MILLI);
    assertThat(rests).isNotEmpty().containsOnly(TurnEnd.REST_NANOS);
  }

  @Test
  void doesNotRestForAFewLinesASecond() {
    chatter(100, 10 * MILLI);
    assertThat(rests).isEmpty();
  }

  @Test
  void doesNotRestForFirstPieces() {
    for (int i = 0; i < 200; i++) {
      now += MILLI / 2;
      turnEnd.grew(List.of(reader("x")), 18);
      loop.run();
    }
    assertThat(rests).isEmpty();
  }

  @Test
  void doesNotRestWhileSomebodyStreams() {
    chatter(100, 1 * MILLI);
    rests.clear();
    turnEnd.grew(List.of(reader("x")), TurnEnd.LARGE_BYTES);
    loop.run();
    assertThat(rests).isEmpty();
  }

  @Test
  void restsNoMoreOnceItIsQuiet() {
    chatter(100, 1 * MILLI);
    rests.clear();
    now += 100 * MILLI;
    turnEnd.grew(List.of(reader("x")), 18);
    loop.run();
    assertThat(rests).isEmpty();
  }

  private void chatter(int lines, long apart) {
    for (int i = 0; i < lines; i++) {
      now += apart;
      turnEnd.grew(List.of(reader("x")), 18);
      turnEnd.piece(now);
      loop.run();
    }
  }

  private Readers.Waiting reader(String name) {
    return new Reader(() -> woken.add(name));
  }

  private static Readers.Waiting failing() {
    return new Reader(() -> {
      throw new IllegalStateException("on purpose");
    });
  }

  private record Reader(Runnable woken) implements Readers.Waiting {
    @Override
    public boolean disarm() {
      return true;
    }

    @Override
    public void wake() {
      woken.run();
    }
  }

  /// A loop whose turns are the test's.
  private static final class Tasks implements PipeLoop {
    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();

    int run() {
      int count = 0;
      for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
        task.run();
        count++;
      }
      return count;
    }

    @Override
    public boolean inLoop() {
      return true;
    }

    @Override
    public void execute(Runnable task) {
      tasks.add(task);
    }

    @Override
    public Cancellable schedule(Runnable task, Duration delay) {
      tasks.add(task);
      return () -> tasks.remove(task);
    }

    @Override
    public FdWatch watch(int fd, Runnable onReadable) {
      throw new UnsupportedOperationException();
    }

    @Override
    public FdWatch watchWritable(int fd, Runnable onWritable) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
  }
}

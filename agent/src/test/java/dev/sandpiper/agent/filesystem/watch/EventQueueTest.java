package dev.sandpiper.agent.filesystem.watch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class EventQueueTest {
  @Test
  void givesBackWhatWasPutInInOrder() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    EventQueue queue = new EventQueue(20_000);
    Deque<WatchEvent> expected = new ArrayDeque<>();
    for (int i = 0; i < 20_000; i++) {
      if (random.nextInt(100) < 52) {
        WatchEvent.Type[] types = WatchEvent.Type.values();
        String name = "ä\uefff/".repeat(random.nextInt(30)) + i;
        WatchEvent event = new WatchEvent(types[random.nextInt(types.length)], name, null);
        if (queue.add(event)) {
          expected.add(event);
        }
      } else {
        assertThat(queue.poll()).as("seed %d, step %d", seed, i).isEqualTo(expected.poll());
      }
      assertThat(queue.size()).isEqualTo(expected.size());
    }
  }

  @Test
  void refusesWhatGoesBeyondTheLimitAndTakesMoreWhenThereIsRoom() {
    EventQueue queue = new EventQueue(100);
    WatchEvent event = new WatchEvent(WatchEvent.Type.WRITE, "x".repeat(47), null);
    assertThat(queue.add(event)).isTrue();
    assertThat(queue.add(event)).isTrue();
    assertThat(queue.add(event)).isFalse();
    assertThat(queue.poll()).isEqualTo(event);
    assertThat(queue.add(event)).isTrue();
  }
}

package dev.sandpiper.agent.process;

import java.security.SecureRandom;
import java.time.InstantSource;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/// Makes process ids: `p`, then 10 characters of milliseconds and 8 of counter and chance, in Crockford's base 32 in lower
/// case. They sort by time, and are never reused: the counter starts at a random point in every run of the agent and
/// never repeats within a millisecond.
public final class ProcessIds implements Supplier<String> {
  private static final String ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
  private static final int TIME_CHARS = 10;
  private static final int CHANCE_CHARS = 8;

  private final InstantSource clock;
  private final AtomicLong counter;
  private final long run;

  /// Ids from this clock.
  public ProcessIds(InstantSource clock) {
    this.clock = clock;
    SecureRandom random = new SecureRandom();
    this.counter = new AtomicLong(random.nextInt(1 << 20));
    this.run = random.nextLong() >>> 44; // 20 bits that tell runs of the agent apart
  }

  @Override
  public String get() {
    char[] id = new char[1 + TIME_CHARS + CHANCE_CHARS];
    id[0] = 'p';
    put(id, 1, TIME_CHARS, clock.millis());
    put(id, 1 + TIME_CHARS, CHANCE_CHARS, (counter.incrementAndGet() & 0xfffff) << 20 | run);
    return new String(id);
  }

  private static void put(char[] id, int from, int length, long value) {
    for (int i = from + length - 1; i >= from; i--) {
      id[i] = ALPHABET.charAt((int) (value & 31));
      value >>>= 5;
    }
  }
}

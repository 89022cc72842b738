package dev.sandpiper.agent.output;

import java.time.Instant;
import java.time.InstantSource;
import java.util.function.LongSupplier;

/// The two clocks: the wall's for what users see, the monotonic one for limits.
record Clock(InstantSource wall, LongSupplier nanos) {
  static final Clock SYSTEM = new Clock(InstantSource.system(), System::nanoTime);

  long nanoTime() {
    return nanos.getAsLong();
  }

  /// Microseconds since 1970.
  long micros() {
    Instant now = wall.instant();
    return now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000;
  }
}

package dev.sandpiper.agent.output;

import dev.sandpiper.agent.output.Cursor.Step;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/// A reader that takes what a cursor has and remembers the steps.
final class Reading implements AutoCloseable {
  final Cursor cursor;
  final List<Step> steps = new ArrayList<>();
  final Map<StreamName, ByteArrayOutputStream> bytes = new EnumMap<>(StreamName.class);
  private final Semaphore woken = new Semaphore(0);
  private final ByteBuffer buffer;

  Reading(Cursor cursor, int chunk) {
    this.cursor = cursor;
    this.buffer = ByteBuffer.allocateDirect(chunk);
    cursor.onWake(woken::release);
  }

  Reading(Cursor cursor) {
    this(cursor, 32 * 1024);
  }

  /// Reads until a step fulfils the condition, which is not moved over.
  Step until(Predicate<Step> condition) {
    long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (true) {
      Step step = cursor.peek(buffer.capacity());
      if (condition.test(step)) {
        return step;
      }
      switch (step) {
        case Step.Data data -> {
          steps.add(step);
          buffer.clear();
          int count = cursor.read(buffer);
          if (count != data.length()) {
            throw new AssertionError("read %d of %s".formatted(count, data));
          }
          byte[] chunk = new byte[count];
          buffer.flip().get(chunk);
          bytes.computeIfAbsent(data.stream(), _ -> new ByteArrayOutputStream()).writeBytes(chunk);
          cursor.advance(count);
        }
        case Step.Gap _ -> {
          steps.add(step);
          cursor.skipGap();
        }
        case Step.Mark _ -> {
          steps.add(step);
          cursor.skipMark();
        }
        case Step.Idle _ -> await(deadline, step);
        case Step.Drained _ -> await(deadline, step);
        case Step.Stalled _ -> throw new AssertionError("ended: " + step);
      }
    }
  }

  private void await(long deadline, Step step) {
    try {
      if (!woken.tryAcquire(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
        throw new AssertionError(
            "no wake-up after %s at stdout %d".formatted(step, cursor.offset(StreamName.STDOUT)));
      }
    } catch (InterruptedException failure) {
      throw new AssertionError(failure);
    }
  }

  Step untilIdle() {
    return until(step -> step instanceof Step.Idle);
  }

  Step untilDrained() {
    return until(step -> step instanceof Step.Drained);
  }

  byte[] of(StreamName stream) {
    ByteArrayOutputStream read = bytes.get(stream);
    return read == null ? new byte[0] : read.toByteArray();
  }

  String text(StreamName stream) {
    return new String(of(stream), java.nio.charset.StandardCharsets.UTF_8);
  }

  List<Step.Gap> gaps() {
    return steps.stream().filter(Step.Gap.class::isInstance).map(Step.Gap.class::cast).toList();
  }

  @Override
  public void close() {
    cursor.close();
  }
}

package dev.sandpiper.tests.harness;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// The agent's standard output, line by line, as a log shipper reads it.
///
/// A thread reads for as long as it is not held; every line must be one JSON object of flat strings and numbers, and
/// the first that is not fails whoever asks next.
public final class Records {
  private static final int KEPT_LINES = 400_000;

  private final InputStream in;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final List<Entry> records = new ArrayList<>();
  private final Thread reader;
  private @Nullable String failure;
  private byte[] tail = new byte[0];
  private boolean held;
  private boolean parked;
  private boolean ended;

  /// One line of standard output.
  public record Entry(Json json) {
    public boolean is(String eventType) {
      return string("event_type").equals(eventType);
    }

    /// A member's text; empty when it is not there.
    public String string(String key) {
      return json.has(key) ? json.string(key) : "";
    }

    public long number(String key) {
      return json.number(key);
    }

    public boolean has(String key) {
      return json.has(key);
    }

    public String message() {
      return json.string("message");
    }

    public boolean isMarker() {
      return is("process_output") && message().equals(TRUNCATED);
    }
  }

  public static final String TRUNCATED = "[output truncated: command exceeded log capture limit]";

  /// Reads from anything that an agent's standard output leads to.
  public Records(InputStream in) {
    this.in = in;
    this.reader = Thread.ofPlatform().name("records").daemon().start(this::read);
  }

  private void read() {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    byte[] part = new byte[64 * 1024];
    try {
      while (true) {
        awaitNotHeld();
        int n = in.read(part);
        if (n < 0) {
          break;
        }
        int from = 0;
        for (int i = 0; i < n; i++) {
          if (part[i] == '\n') {
            line.write(part, from, i - from);
            add(line.toByteArray());
            line.reset();
            from = i + 1;
          }
        }
        line.write(part, from, n - from);
      }
    } catch (IOException e) {
      // The test closed its end, or the agent is gone.
    } catch (InterruptedException e) {
      fail("interrupted: " + e);
    }
    lock.lock();
    try {
      tail = line.toByteArray();
      ended = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void awaitNotHeld() throws InterruptedException {
    lock.lock();
    try {
      while (held) {
        parked = true;
        changed.signalAll();
        changed.await();
      }
      parked = false;
    } finally {
      lock.unlock();
    }
  }

  private void add(byte[] line) {
    Entry record;
    try {
      record = new Entry(Json.parse(line));
      for (Json value : record.json().object().values()) {
        if (!(value instanceof Json.Str || value instanceof Json.Num)) {
          fail("not flat: " + record);
        }
      }
    } catch (IllegalArgumentException | AssertionError e) {
      fail("standard output carried something else than a JSON object: " + e.getMessage());
      return;
    }
    lock.lock();
    try {
      if (records.size() == KEPT_LINES) {
        fail("more than " + KEPT_LINES + " records");
      } else {
        records.add(record);
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void fail(String what) {
    lock.lock();
    try {
      if (failure == null) {
        failure = what;
      }
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /// Stops reading, as a stuck shipper does; what the pipe holds stays in it. A read that is under way still ends.
  public void hold() {
    lock.lock();
    try {
      held = true;
    } finally {
      lock.unlock();
    }
  }

  public void goOn() {
    lock.lock();
    try {
      held = false;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /// Everything so far.
  public List<Entry> all() {
    lock.lock();
    try {
      requireGood();
      return List.copyOf(records);
    } finally {
      lock.unlock();
    }
  }

  /// The records of a process that was started with this tag.
  public List<Entry> of(String tag) {
    return all().stream().filter(record -> record.string("tag").equals(tag)).toList();
  }

  /// The `process_output` records of a process that was started with this tag, markers included.
  public List<Entry> outputOf(String tag) {
    return of(tag).stream().filter(record -> record.is("process_output")).toList();
  }

  /// Waits for the process of this tag to have its `process_end` record, and gives all of its records.
  public List<Entry> awaitEnd(String tag) {
    await(
        "process_end of " + tag,
        record -> record.is("process_end") && record.string("tag").equals(tag));
    return of(tag);
  }

  /// Waits for the first record, old or new, that fits.
  public Entry await(String what, Predicate<Entry> fits) {
    Entry found = find(fits, Deadline.PATIENCE);
    if (found == null) {
      throw new AssertionError("no record: " + what + "; the last ones: " + lastOnes());
    }
    return found;
  }

  private @Nullable Entry find(Predicate<Entry> fits, Duration limit) {
    long nanos = limit.toNanos();
    int seen = 0;
    lock.lock();
    try {
      while (true) {
        requireGood();
        for (; seen < records.size(); seen++) {
          if (fits.test(records.get(seen))) {
            return records.get(seen);
          }
        }
        if (nanos <= 0 || ended) {
          return null;
        }
        nanos = changed.awaitNanos(nanos);
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    } finally {
      lock.unlock();
    }
  }

  private List<Entry> lastOnes() {
    List<Entry> all = all();
    return all.subList(Math.max(0, all.size() - 10), all.size());
  }

  private void requireGood() {
    if (failure != null) {
      throw new AssertionError(failure);
    }
  }

  /// Waits for the end of standard output and checks all of it.
  ///
  /// @param mayBeCut whether the last line may be incomplete, as after `kill -9`
  void awaitEndOfOutput(boolean mayBeCut) {
    goOn();
    try {
      if (!reader.join(Deadline.PATIENCE)) {
        throw new AssertionError("somebody still holds the agent's standard output open");
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    lock.lock();
    try {
      requireGood();
      if (tail.length > 0 && (!mayBeCut || tail[0] != '{')) {
        throw new AssertionError(
            "standard output ends inside a line: "
                + new String(tail, java.nio.charset.StandardCharsets.ISO_8859_1));
      }
    } finally {
      lock.unlock();
    }
  }

  /// Waits until the reader really holds; a read that was under way ends with the next record.
  public void awaitHeld() {
    lock.lock();
    try {
      long nanos = Deadline.PATIENCE.toNanos();
      while (!parked && !ended) {
        if (nanos <= 0) {
          throw new AssertionError("the reader waits for a record; cause one first");
        }
        nanos = changed.awaitNanos(nanos);
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    } finally {
      lock.unlock();
    }
  }

  /// Closes the reading end for good, as a shipper that died. Only while held: a read under way would keep it open.
  public void goAway() {
    awaitHeld();
    try {
      in.close();
    } catch (IOException e) {
      fail(e.toString());
    }
  }
}

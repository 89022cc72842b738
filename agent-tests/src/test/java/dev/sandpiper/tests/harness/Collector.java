package dev.sandpiper.tests.harness;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A collector of records that outlives the agents: it reads a FIFO that it also holds open for writing.
///
/// It does what docs/records.md tells a consumer to do: drops what is there already, by process id, event type and seq, and
/// what is no JSON, which only a line can be that a killed agent left half.
public final class Collector implements AutoCloseable {
  private static final String LAST_LINE = "the test is over\n";

  private static final Pattern ANNOUNCED = Pattern.compile("\"repeated_lines\":([0-9]+)");

  private final Path fifo;
  private final RandomAccessFile both;
  private final Thread reader;
  private final Semaphore mayRead = new Semaphore(1);
  private final Map<String, Records.Entry> kept = new LinkedHashMap<>();
  private final List<String> broken = new ArrayList<>();
  private @Nullable String wrong;
  private int repeats;
  private int announced;

  /// Makes the FIFO and begins to read.
  public Collector(Path fifo) {
    this.fifo = fifo;
    Shell.run("mkfifo", fifo.toString()).requireSuccess();
    try {
      both = new RandomAccessFile(fifo.toFile(), "rw");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    reader = Thread.ofPlatform().name("collector").daemon().start(this::read);
  }

  public Path path() {
    return fifo;
  }

  private void read() {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    byte[] part = new byte[16 * 1024];
    try {
      while (true) {
        mayRead.acquire();
        mayRead.release();
        int count = both.read(part);
        for (int i = 0; i < count; i++) {
          if (part[i] != '\n') {
            line.write(part[i]);
            continue;
          }
          byte[] bytes = line.toByteArray();
          line.reset();
          if (new String(bytes, StandardCharsets.UTF_8).equals(LAST_LINE.strip())) {
            return;
          }
          take(bytes);
        }
      }
    } catch (IOException | InterruptedException e) {
      synchronized (this) {
        wrong = e.toString();
      }
    }
  }

  private synchronized void take(byte[] line) {
    Records.Entry entry;
    try {
      entry = new Records.Entry(Json.parse(line));
    } catch (IllegalArgumentException | AssertionError e) {
      String text = new String(line, StandardCharsets.UTF_8);
      broken.add(text);
      Matcher announcement = ANNOUNCED.matcher(text);
      if (announcement.find()) {
        announced += Integer.parseInt(announcement.group(1));
      }
      return;
    }
    if (entry.is("records_repeated")) {
      announced += (int) entry.number("repeated_lines");
    }
    String id = entry.string("process_id");
    if (id.isEmpty()) {
      return; // the agent's own
    }
    String key =
        id + ' ' + entry.string("event_type") + ' ' + (entry.has("seq") ? entry.number("seq") : "");
    Records.Entry before = kept.putIfAbsent(key, entry);
    if (before != null) {
      repeats++;
      if (!before.equals(entry)) {
        wrong = "one number, two records: " + before + " and " + entry;
      }
    }
  }

  /// Stops reading, after what is under way; the next byte that comes is still read.
  public void hold() {
    mayRead.acquireUninterruptibly();
  }

  public void goOn() {
    mayRead.release();
  }

  /// What is kept, by process id, in the order in which it came.
  public synchronized Map<String, List<Records.Entry>> byProcess() {
    if (wrong != null) {
      throw new AssertionError(wrong);
    }
    Map<String, List<Records.Entry>> processes = new HashMap<>();
    kept.values()
        .forEach(entry ->
            processes
                .computeIfAbsent(entry.string("process_id"), _ -> new ArrayList<>())
                .add(entry));
    return processes;
  }

  public void await(String what, Duration limit, Predicate<Map<String, List<Records.Entry>>> fits) {
    await(what, limit, () -> fits.test(byProcess()));
  }

  private static void await(
      String what, Duration limit, java.util.concurrent.Callable<Boolean> fits) {
    org.awaitility.Awaitility.await(what).atMost(limit).until(fits);
  }

  /// How many records came again.
  public synchronized int repeats() {
    return repeats;
  }

  /// How many were announced to be possible repeats.
  public synchronized int announced() {
    return announced;
  }

  /// Lines that are no JSON.
  public synchronized List<String> broken() {
    return List.copyOf(broken);
  }

  @Override
  public void close() {
    try {
      mayRead.release();
      both.write(LAST_LINE.getBytes(StandardCharsets.UTF_8));
      reader.join(Duration.ofSeconds(5));
      both.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

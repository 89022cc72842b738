package dev.sandpiper.agent.telemetry;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Stream;

/// What happened since the agent began, in numbers that only grow, except where a name says `running`.
///
/// Any thread; counting waits for nobody. Labels are few and known (a stream, an RPC method, a code), so the number
/// of counters is bounded.
public final class Counters {
  /// One number, as a metrics endpoint shows it. `labels` is empty or such as `stream="stdout"`.
  public record Sample(String name, String labels, long value) {}

  private record Key(String name, String labels) {}

  private final ConcurrentMap<Key, LongAdder> named = new ConcurrentHashMap<>();

  private final LongAdder processesStarted = new LongAdder();
  private final LongAdder processesEnded = new LongAdder();
  private final LongAdder stdoutRecords = new LongAdder();
  private final LongAdder stderrRecords = new LongAdder();
  private final LongAdder droppedLines = new LongAdder();
  private final LongAdder droppedLogLines = new LongAdder();
  private final LongAdder droppedProcesses = new LongAdder();
  private final LongAdder writtenBytes = new LongAdder();

  public void processStarted() {
    processesStarted.increment();
  }

  public void processEnded() {
    processesEnded.increment();
  }

  /// Bytes that processes printed to `stdout`, `stderr` or `pty`.
  public void outputBytes(String stream, long bytes) {
    add("output_bytes_total", "stream=\"" + stream + '"', bytes);
  }

  /// A reader of a log was ended because it fell behind.
  public void readerEnded() {
    add("readers_ended_total", "", 1);
  }

  /// A call was answered with `code`, such as `ok` or `not_found`.
  public void call(String method, String code) {
    add("calls_total", "method=\"" + method + "\",code=\"" + code + '"', 1);
  }

  public void outputRecord(String stream) {
    ("stdout".equals(stream) ? stdoutRecords : stderrRecords).increment();
  }

  /// Lines, log lines and whole processes that are not on standard output.
  public void dropped(long lines, long logLines, long processes) {
    droppedLines.add(lines);
    droppedLogLines.add(logLines);
    droppedProcesses.add(processes);
  }

  public void written(long bytes) {
    writtenBytes.add(bytes);
  }

  /// Counts what has no method here. `labels` is empty or in the form that [Sample] shows.
  public void add(String name, String labels, long amount) {
    named.computeIfAbsent(new Key(name, labels), _ -> new LongAdder()).add(amount);
  }

  /// All counters, in the order of names and labels. Each is exact; together they are of about the same moment.
  public List<Sample> samples() {
    long ended =
        processesEnded.sum(); // before the starts, so that never more have ended than begun
    long started = processesStarted.sum();
    var fixed =
        Stream.of(
            new Sample("processes_started_total", "", started),
            new Sample("processes_running", "", started - ended),
            new Sample("output_records_total", "stream=\"stderr\"", stderrRecords.sum()),
            new Sample("output_records_total", "stream=\"stdout\"", stdoutRecords.sum()),
            new Sample("records_dropped_total", "kind=\"line\"", droppedLines.sum()),
            new Sample("records_dropped_total", "kind=\"log_line\"", droppedLogLines.sum()),
            new Sample("records_dropped_total", "kind=\"process\"", droppedProcesses.sum()),
            new Sample("records_written_bytes_total", "", writtenBytes.sum()));
    return Stream.concat(fixed, named.entrySet().stream().map(Counters::sample))
        .sorted(Comparator.comparing(Sample::name).thenComparing(Sample::labels))
        .toList();
  }

  private static Sample sample(Map.Entry<Key, LongAdder> entry) {
    return new Sample(entry.getKey().name(), entry.getKey().labels(), entry.getValue().sum());
  }
}

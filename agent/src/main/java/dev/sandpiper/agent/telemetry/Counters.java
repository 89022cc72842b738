package dev.sandpiper.agent.telemetry;

import java.util.concurrent.atomic.LongAdder;

/// Counts what has no better place: records, and later files and watches. Numbers only grow, except where a name says
/// that it counts what is there now.
///
/// Any thread; counting waits for nobody and allocates nothing.
public final class Counters implements MetricSource {
  private final LongAdder stdoutRecords = new LongAdder();
  private final LongAdder stderrRecords = new LongAdder();
  private final LongAdder droppedLines = new LongAdder();
  private final LongAdder droppedLogLines = new LongAdder();
  private final LongAdder droppedProcesses = new LongAdder();
  private final LongAdder writtenBytes = new LongAdder();
  private final LongAdder uploads = new LongAdder();
  private final LongAdder uploadedBytes = new LongAdder();
  private final LongAdder downloads = new LongAdder();
  private final LongAdder downloadedBytes = new LongAdder();
  private final LongAdder watchersStarted = new LongAdder();
  private final LongAdder watchersEnded = new LongAdder();
  private final LongAdder watchEvents = new LongAdder();
  private final LongAdder watchOverflows = new LongAdder();

  public void outputRecord(String stream) {
    ("stdout".equals(stream) ? stdoutRecords : stderrRecords).increment();
  }

  /// Lines, log lines and whole processes that are not on standard output.
  public void dropped(long lines, long logLines, long processes) {
    droppedLines.add(lines);
    droppedLogLines.add(logLines);
    droppedProcesses.add(processes);
  }

  /// Bytes that went to standard output.
  public void written(long bytes) {
    writtenBytes.add(bytes);
  }

  /// A file was uploaded whole.
  public void fileUploaded(long bytes) {
    uploads.increment();
    uploadedBytes.add(bytes);
  }

  /// A file, or a part of one, was sent whole.
  public void fileDownloaded(long bytes) {
    downloads.increment();
    downloadedBytes.add(bytes);
  }

  /// A watch began, by stream or to be polled: [#watcherEnded] follows.
  public void watcherStarted() {
    watchersStarted.increment();
  }

  public void watcherEnded() {
    watchersEnded.increment();
  }

  /// Events that were handed to a client, or kept for it.
  public void watchEvents(long events) {
    watchEvents.add(events);
  }

  /// A watch lost events, and its client was told.
  public void watchOverflow() {
    watchOverflows.increment();
  }

  @Override
  public void write(MetricsText text) {
    text.counter("sandpiper_output_records_total", "process_output records that were made.")
        .sample(stdoutRecords.sum(), "stream", "stdout")
        .sample(stderrRecords.sum(), "stream", "stderr");
    text.counter(
            "sandpiper_records_dropped_total",
            "Lines, the agent's own log lines, and processes with all their records that never reached standard output.")
        .sample(droppedLines.sum(), "kind", "line")
        .sample(droppedLogLines.sum(), "kind", "log_line")
        .sample(droppedProcesses.sum(), "kind", "process");
    text.counter("sandpiper_records_written_bytes_total", "Bytes that went to standard output.")
        .sample(writtenBytes.sum());
    text.counter("sandpiper_file_uploads_total", "Files that were uploaded whole.")
        .sample(uploads.sum());
    text.counter("sandpiper_file_uploaded_bytes_total", "Bytes of these files.")
        .sample(uploadedBytes.sum());
    text.counter("sandpiper_file_downloads_total", "Files, or parts of them, that were sent whole.")
        .sample(downloads.sum());
    text.counter("sandpiper_file_downloaded_bytes_total", "Bytes of these files and parts.")
        .sample(downloadedBytes.sum());
    long ended = watchersEnded.sum(); // before the starts: never have more ended than begun
    text.gauge("sandpiper_watchers", "Directories that are watched for clients.")
        .sample(watchersStarted.sum() - ended);
    text.counter(
            "sandpiper_watch_events_total", "Events that were handed to clients, or kept for them.")
        .sample(watchEvents.sum());
    text.counter("sandpiper_watch_overflows_total", "Times a watch lost events and said so.")
        .sample(watchOverflows.sum());
  }
}

package dev.sandpiper.agent.output;

import dev.sandpiper.agent.telemetry.MetricsText;

/// The numbers of all output logs and their readers.
final class OutputMetrics {
  /// A reader that keeps up is a message or two behind; one of this much has been left behind.
  private static final long BEHIND_BYTES = 1024 * 1024;

  private OutputMetrics() {}

  static void write(OutputStore store, MetricsText text) {
    OutputCounters counters = store.counters();
    text.counter(
        "sandpiper_output_bytes_total", "Bytes that processes printed, by stream, kept or not.");
    for (StreamName stream : StreamName.values()) {
      text.sample(counters.printedBytes(stream), "stream", stream.text());
    }
    text.gauge("sandpiper_output_kept_bytes", "Output that is kept of all processes together.")
        .sample(store.totalBytes());
    text.counter(
            "sandpiper_output_removed_bytes_total",
            "Output that retention or a full disk removed, read or not.")
        .sample(counters.droppedBytes());
    text.counter(
            "sandpiper_output_logs_evicted_total",
            "Logs of finished processes that were removed as a whole.")
        .sample(counters.evictedLogs());
    text.counter(
            "sandpiper_output_disk_full_total", "Times the file system of the output had no room.")
        .sample(counters.diskFull());
    text.counter(
            "sandpiper_output_streams_failed_total",
            "Streams that were given up after an unexpected error.")
        .sample(counters.failedStreams());
    text.counter(
            "sandpiper_output_gaps_total",
            "Times a reader found that bytes it had not read are gone.")
        .sample(counters.gaps());
    text.counter(
            "sandpiper_output_gap_bytes_total", "Bytes in those gaps, once for each such reader.")
        .sample(counters.gapBytes());
    text.counter(
            "sandpiper_output_holds_total", "Times a client that was behind held its command back.")
        .sample(counters.holds());
    text.counter(
            "sandpiper_output_readers_stalled_total",
            "Clients that were ended because they took nothing.")
        .sample(counters.stalledReaders());
    readers(store, text);
  }

  /// The readers of one kind.
  private static final class Tally {
    private final String kind;
    private long readers;
    private long behind;
    private long slowest;

    Tally(String kind) {
      this.kind = kind;
    }

    void add(long bytes) {
      readers++;
      behind += bytes > BEHIND_BYTES ? 1 : 0;
      slowest = Math.max(slowest, bytes);
    }
  }

  private static void readers(OutputStore store, MetricsText text) {
    Tally clients = new Tally("client"); // which were promised every byte
    Tally records = new Tally("records"); // and whoever else looks on
    for (OutputLog log : store.all()) {
      LogCursor[] cursors = log.cursors();
      if (cursors.length > 0) {
        synchronized (log) {
          for (LogCursor cursor : cursors) {
            (cursor.promise() == Promise.EVERYTHING ? clients : records).add(cursor.behind());
          }
        }
      }
    }
    text.gauge("sandpiper_output_readers", "Readers of the output of processes.")
        .sample(clients.readers, "kind", clients.kind)
        .sample(records.readers, "kind", records.kind);
    text.gauge("sandpiper_output_readers_behind", "Readers that have more than 1 MiB left to read.")
        .sample(clients.behind, "kind", clients.kind)
        .sample(records.behind, "kind", records.kind);
    text.gauge("sandpiper_output_reader_lag_bytes", "What the slowest reader has left to read.")
        .sample(clients.slowest, "kind", clients.kind)
        .sample(records.slowest, "kind", records.kind);
  }
}

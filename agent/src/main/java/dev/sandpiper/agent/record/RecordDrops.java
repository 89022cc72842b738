package dev.sandpiper.agent.record;

/// What never reached standard output, until a record could tell of it. Belongs to the record thread.
final class RecordDrops {
  /// Lines that were made and could not be written; the agent's own log lines that found their queue full; processes
  /// that began while too many others waited for their first record, and have none at all.
  record Counts(long lines, long logLines, long processes) {
    static final Counts NONE = new Counts(0, 0, 0);

    boolean none() {
      return lines == 0 && logLines == 0 && processes == 0;
    }

    Counts plus(Counts other) {
      return new Counts(
          lines + other.lines, logLines + other.logLines, processes + other.processes);
    }

    @Override
    public String toString() {
      return "not written: %d lines, %d of the agent's own log lines, all records of %d processes"
          .formatted(lines, logLines, processes);
    }
  }

  private Counts open = Counts.NONE;
  private Counts told = Counts.NONE; // on its way, in a batch that has not left yet

  void add(Counts counts) {
    open = open.plus(counts);
  }

  /// What is to be told; it counts as told once the batch has left.
  Counts tell() {
    var counts = open;
    told = told.plus(counts);
    open = Counts.NONE;
    return counts;
  }

  void left() {
    told = Counts.NONE;
  }

  /// The batch was lost, and the news in it. Returns the lines that the news took: 1 or 0.
  int lost() {
    int lines = told.none() ? 0 : 1;
    open = open.plus(told);
    told = Counts.NONE;
    return lines;
  }

  /// What was not told, not even on its way.
  Counts untold() {
    return open;
  }

  Counts open() {
    return open.plus(told);
  }
}

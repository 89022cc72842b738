package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.logs.LogPosition.Rank;
import dev.sandpiper.agent.output.LogView;
import dev.sandpiper.agent.output.LogWatch;
import dev.sandpiper.agent.output.StreamName;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// The sources of one process, and what they share.
final class Group {
  final LoggedProcess process;
  final LogView view;
  final List<Source> sources = new ArrayList<>(4);

  /// Something has changed since the sources were looked at.
  final AtomicBoolean woken = new AtomicBoolean();

  private @Nullable LogWatch watch;

  Group(LoggedProcess process) {
    this.process = process;
    this.view = process.log().view();
  }

  void open(Matching matching, LogQuery query, Range range, boolean backward, int cut) {
    boolean follow = query.follow() && !backward;
    if (matching.wantsEvent(LogEntry.START)) {
      sources.add(new EventSource(process, Rank.START, matching, range));
    }
    if (matching.wantsOutput()) {
      for (StreamName stream : process.log().streams()) {
        if (query.stream() == null || query.stream() == stream) {
          sources.add(
              backward
                  ? new BackwardLines(this, stream, matching, range, cut)
                  : new ForwardLines(this, stream, matching, range, cut, follow));
        }
      }
    }
    if (matching.wantsEvent(LogEntry.END)) {
      sources.add(new EventSource(process, Rank.END, matching, range));
    }
  }

  /// From now on changes wake.
  void watch(Runnable wake) {
    watch =
        process
            .log()
            .watch(() -> {
              if (!woken.getAndSet(true)) {
                wake.run();
              }
            });
    arm();
  }

  /// Before the sources are looked at.
  void arm() {
    LogWatch armed = watch;
    if (armed != null) {
      armed.arm();
    }
  }

  void done(Source source) {
    source.idle();
    sources.remove(source);
    if (sources.isEmpty()) {
      close();
    }
  }

  void close() {
    LogWatch open = watch;
    if (open != null) {
      open.close();
      watch = null;
    }
    sources.forEach(Source::idle);
    view.close();
  }
}

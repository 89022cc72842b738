package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Answers `GET /v1/process/{id}/logs` and `GET /v1/process/{id}/files/…`: lines of what a process printed, read from its
/// output log when they are asked for.
///
/// Lines are read and sent on the event loop of the request, a piece at a time. The last ones are looked for on threads of
/// its own, which end when nobody asks.
final class ProcessLogs {
  private static final String STDOUT_FILE = "stdout.log";
  private static final String STDERR_FILE = "stderr.log";
  private static final String COMBINED_FILE = "combined.log";
  static final List<String> FILES = List.of(STDOUT_FILE, STDERR_FILE, COMBINED_FILE);

  /// A search holds a block of each stream; searches behind the first ones wait.
  private static final int SEARCHES = 2;

  private static final int WAITING_SEARCHES = 256;
  private static final long IDLE_SECONDS = 30;
  private static final String REMOVED_BYTES = "sandpiper-removed-bytes";

  private final ProcessManager processes;

  /// Bound: [#WAITING_SEARCHES]; when full, 503.
  private final ThreadPoolExecutor searches =
      new ThreadPoolExecutor(
          SEARCHES,
          SEARCHES,
          IDLE_SECONDS,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(WAITING_SEARCHES),
          task -> Thread.ofPlatform().name("last-lines").daemon().unstarted(task));

  private final ThreadLocal<LineReader.Buffer> buffers =
      ThreadLocal.withInitial(LineReader.Buffer::new);

  ProcessLogs(ProcessManager processes) {
    this.processes = processes;
    searches.allowCoreThreadTimeOut(true);
  }

  void logs(HttpExchange exchange) {
    try {
      ManagedProcess process = ProcessCalls.find(processes, exchange);
      LogsRequest request = LogsRequest.read(exchange);
      String last = exchange.requestHeaders().get("last-event-id");
      if (request.follow() && last != null && !last.isEmpty()) {
        resume(exchange, process, request, last);
      } else if (request.tail().isPresent()) {
        search(exchange, process, request, request.tail().getAsLong());
      } else {
        LinePosition beginning = LinePosition.beginning(request.streams(process));
        answer(exchange, process, request, new LastLines(beginning, 0, ends(process)));
      }
    } catch (Problem problem) {
      problem.answer(exchange);
    }
  }

  private static Map<StreamName, Long> ends(ManagedProcess process) {
    return LineReader.ends(process.log());
  }

  /// A follower comes back. One that has seen the exit is told to stay away, as browsers understand it.
  private void resume(
      HttpExchange exchange, ManagedProcess process, LogsRequest request, String last)
      throws Problem {
    if (LinePosition.isEnd(last, process.processId())) {
      exchange.respond(204, Headers.of("cache-control", "no-store"), new byte[0]);
      return;
    }
    LinePosition from = LinePosition.parse(last, process.log(), request.streams(process));
    follow(exchange, process, request, from, null, null);
  }

  private void search(
      HttpExchange exchange, ManagedProcess process, LogsRequest request, long lines) {
    Runnable search =
        () -> {
          LastLines found;
          try {
            found =
                LastLines.find(
                    process.log(),
                    request.streams(process),
                    lines,
                    request.follow(),
                    buffers.get());
          } catch (RuntimeException e) {
            exchange.execute(() -> exchange.fail(e));
            return;
          }
          exchange.execute(() -> {
            if (!exchange.isFinished()) {
              answer(exchange, process, request, found);
            }
          });
        };
    try {
      searches.execute(search);
    } catch (RejectedExecutionException _) {
      new Problem(
              503,
              Problem.UNAVAILABLE,
              "Too many requests",
              WAITING_SEARCHES + " other searches for last lines wait already")
          .answer(exchange);
    }
  }

  private void answer(
      HttpExchange exchange, ManagedProcess process, LogsRequest request, LastLines lines) {
    LogContent content =
        new LogContent(
            request.format(process), request.strip() || request.tail().isPresent(), lines.skip());
    if (request.follow()) {
      follow(exchange, process, request, lines.from(), content, lines.ends());
      return;
    }
    LineReader reader =
        new LineReader(process.log(), request.streams(process), lines.from()).limit(lines.ends());
    new PulledBody(exchange, new LogBody(reader, buffers.get(), content))
        .start(200, Headers.of("content-type", "application/json", "cache-control", "no-store"));
  }

  private void follow(
      HttpExchange exchange,
      ManagedProcess process,
      LogsRequest request,
      LinePosition from,
      @Nullable LogContent history,
      @Nullable Map<StreamName, Long> historyEnds) {
    LineReader reader =
        new LineReader(process.log(), request.streams(process), from).limit(historyEnds);
    EventStream events =
        new EventStream(
            exchange,
            EventStream.heartbeat(exchange),
            new LogFollow(process, reader, buffers.get(), request.format(process), history));
    reader.onWake(events::wake);
    events.start();
  }

  /// A file as it is now.
  void file(HttpExchange exchange, String name) {
    ManagedProcess process;
    try {
      process = ProcessCalls.find(processes, exchange);
    } catch (Problem problem) {
      problem.answer(exchange);
      return;
    }
    OutputLog log = process.log();
    Set<StreamName> streams = EnumSet.noneOf(StreamName.class);
    streams.addAll(log.streams());
    switch (name) {
      case STDOUT_FILE -> streams.retainAll(Set.of(StreamName.STDOUT));
      case STDERR_FILE -> streams.retainAll(Set.of(StreamName.STDERR));
      default -> {}
    }
    Headers headers =
        Headers.of(
            "content-type", "text/plain; charset=utf-8",
            "content-disposition", "attachment; filename=" + name,
            "cache-control", "no-store",
            "x-content-type-options", "nosniff");
    Map<StreamName, Long> starts = new EnumMap<>(StreamName.class);
    long removed = 0;
    for (StreamName stream : streams) {
      long start = log.startOffset(stream);
      starts.put(stream, start);
      removed += start;
    }
    if (removed > 0) {
      headers.add(REMOVED_BYTES, Long.toString(removed));
    }
    LineFormat format =
        new LineFormat(
            true,
            name.equals(COMBINED_FILE),
            ChronoUnit.MICROS.between(Instant.EPOCH, process.startedAt()));
    LineReader reader =
        new LineReader(log, streams, LinePosition.beginning(streams)).limit(ends(process));
    new PulledBody(exchange, new LogFile(reader, buffers.get(), format, starts))
        .start(200, headers);
  }
}

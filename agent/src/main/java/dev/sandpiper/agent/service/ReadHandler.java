package dev.sandpiper.agent.service;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.Position;
import dev.sandpiper.agent.output.Promise;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.proto.v1.Offsets;
import dev.sandpiper.proto.v1.ReadRequest;
import dev.sandpiper.proto.v1.Stream;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import io.grpc.StatusException;
import java.time.Duration;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// `Read`: output of a process, running or finished, from a place on.
final class ReadHandler implements ServerCallHandler<ReadRequest, Object> {
  private static final Logger LOG = LoggerFactory.getLogger(ReadHandler.class);

  /// Below the idle limits of proxies, which are a minute and more.
  private static final Duration HEARTBEAT = Duration.ofSeconds(15);

  private static final long LEAST_HEARTBEAT_MS = 100;
  private static final long MOST_HEARTBEAT_MS = Duration.ofDays(1).toMillis();

  /// Searches for last lines at a time; others wait. One takes half a MiB, and may read all that a process's log keeps.
  private static final int SEARCHES = 2;

  private final ProcessManager processes;
  private final Semaphore searches = new Semaphore(SEARCHES, true);

  ReadHandler(ProcessManager processes) {
    this.processes = processes;
  }

  @Override
  public ServerCall.Listener<ReadRequest> startCall(
      ServerCall<ReadRequest, Object> call, Metadata headers) {
    ReadCall read = new ReadCall(call);
    return new FollowListener<>(call, read, request -> start(call, read, request));
  }

  private void start(ServerCall<?, ?> call, ReadCall read, ReadRequest request) {
    try {
      ManagedProcess process = ProcessRefs.find(processes, request.getProcess());
      Set<StreamName> streams = streams(process.log(), request.getStreamsList());
      Duration heartbeat = heartbeat(request.getHeartbeatMs());
      ReadCall.Options options =
          new ReadCall.Options(request.getLive(), !request.getNoChecksum(), heartbeat);
      Opener opener = new Opener(process, streams, request.getExactTimes(), options, read);
      switch (request.getFromCase()) {
        case START, FROM_NOT_SET -> opener.open(Position.BEGINNING);
        case END -> opener.open(Position.NOW);
        case OFFSETS -> opener.open(offsets(process.log(), streams, request.getOffsets()));
        case LAST_LINES -> {
          long lines = request.getLastLines();
          if (lines < 0) {
            throw invalid("last_lines must not be negative: " + lines);
          }
          if (lines == 0) {
            opener.open(Position.NOW);
          } else {
            search(call, opener, lines);
          }
        }
      }
    } catch (StatusException refused) {
      read.close(refused.getStatus());
    }
  }

  private record Opener(
      ManagedProcess process,
      Set<StreamName> streams,
      boolean exactTimes,
      ReadCall.Options options,
      ReadCall read) {

    void open(Position from) {
      // It never holds the command: whoever reads by offset learns exactly what is gone, and an
      // attached client beside it keeps
      // the promise that it was made.
      Cursor cursor = process.log().cursor(from, Promise.BEST_EFFORT, streams);
      cursor.joinRuns(!exactTimes);
      read.begin(process, cursor, streams, options);
    }

    Position find(long lines) {
      return process.log().positionOfLastLines(lines, streams);
    }
  }

  /// Reads backwards on a thread of its own, as it may have to read much.
  private void search(ServerCall<?, ?> call, Opener opener, long lines) {
    var executor = Calls.executor(call);
    Thread.ofVirtual()
        .name("last-lines")
        .start(() -> {
          searches.acquireUninterruptibly();
          Position found;
          try {
            if (call.isCancelled()) {
              return;
            }
            found = opener.find(lines);
          } catch (RuntimeException failure) {
            LOG.error("reading back in process {} failed", opener.process(), failure);
            executor.execute(
                () -> opener.read().close(Status.INTERNAL.withDescription("internal error")));
            return;
          } finally {
            searches.release();
          }
          executor.execute(() -> opener.open(found));
        });
  }

  private static Set<StreamName> streams(OutputLog log, Collection<Stream> asked)
      throws StatusException {
    if (asked.isEmpty()) {
      return log.streams();
    }
    Set<StreamName> streams = EnumSet.noneOf(StreamName.class);
    for (Stream wire : asked) {
      StreamName name = WireStreams.of(wire);
      if (name == null || !log.streams().contains(name)) {
        throw invalid("the process has no stream %s, only %s".formatted(wire, names(log)));
      }
      streams.add(name);
    }
    return streams;
  }

  private static Position offsets(OutputLog log, Set<StreamName> streams, Offsets offsets)
      throws StatusException {
    check(log, streams, StreamName.STDOUT, offsets.getStdout());
    check(log, streams, StreamName.STDERR, offsets.getStderr());
    check(log, streams, StreamName.PTY, offsets.getTerminal());
    return new Position.Offsets(offsets.getStdout(), offsets.getStderr(), offsets.getTerminal());
  }

  private static void check(OutputLog log, Set<StreamName> streams, StreamName name, long offset)
      throws StatusException {
    String text = WireStreams.text(name);
    if (offset < 0) {
      throw invalid("offsets must not be negative: %s %d".formatted(text, offset));
    }
    if (offset > 0 && !log.streams().contains(name)) {
      throw invalid(
          "an offset of %s, but the process has no such stream, only %s"
              .formatted(text, names(log)));
    }
    if (streams.contains(name) && offset > log.endOffset(name)) {
      throw Status.OUT_OF_RANGE
          .withDescription(
              "offset %d of %s lies beyond its end: kept are %d to %d"
                  .formatted(offset, text, log.startOffset(name), log.endOffset(name)))
          .asException();
    }
  }

  private static String names(OutputLog log) {
    return log.streams().stream()
        .map(name -> WireStreams.of(name).name())
        .collect(Collectors.joining(" and "));
  }

  private static Duration heartbeat(long millis) throws StatusException {
    if (millis == 0) {
      return HEARTBEAT;
    }
    if (millis < LEAST_HEARTBEAT_MS || millis > MOST_HEARTBEAT_MS) {
      throw invalid(
          "heartbeat_ms must be 0 or between %d and %d, not %d"
              .formatted(LEAST_HEARTBEAT_MS, MOST_HEARTBEAT_MS, millis));
    }
    return Duration.ofMillis(millis);
  }

  private static StatusException invalid(String message) {
    return Status.INVALID_ARGUMENT.withDescription(message).asException();
  }
}

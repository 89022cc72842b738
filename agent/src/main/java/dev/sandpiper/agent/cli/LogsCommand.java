package dev.sandpiper.agent.cli;

import dev.sandpiper.proto.v1.LogQuery;
import dev.sandpiper.proto.v1.LogResponse;
import dev.sandpiper.proto.v1.ReadRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;

/// `sandpiper logs`: what a process printed, byte for byte, or the log of the whole sandbox, line by line.
///
/// @param name id, pid or tag; empty for the whole sandbox
/// @param query what was asked for, without the process
/// @param left by an agent that is gone; empty for one that runs
/// @param asked empty: pretty on a terminal, else raw
/// @param raw whether the bytes of one process are wanted as they are: nothing was asked for that is about lines
record LogsCommand(
    AgentOptions agent,
    Optional<Left> left,
    Optional<String> name,
    LogQuery query,
    Optional<LogFormat> asked,
    boolean timestamps,
    boolean raw)
    implements ClientCommand {
  static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final long RETRY_MILLIS = 200;

  /// A state directory, and what reads it.
  record Left(Path stateDirectory, Program.LeftLogs logs) {}

  @Override
  public int run(Screen screen) throws IOException, ApiException {
    if (left.isPresent()) {
      return left(left.get(), screen);
    }
    try (var client = new NativeClient(agent)) {
      if (name.isEmpty()) {
        return lines(client, query, screen);
      }
      var process = client.find(name.get());
      return raw && format(screen) == LogFormat.RAW
          ? bytes(client, process.getId(), screen)
          : lines(client, query.toBuilder().setId(process.getId()).build(), screen);
    }
  }

  private int left(Left from, Screen screen) throws IOException {
    var asked = query.toBuilder().setId(name.orElse(""));
    try {
      from.logs()
          .query(
              from.stateDirectory(),
              asked.build(),
              response -> {
                try {
                  show(response, screen);
                } catch (Display.OutputClosedException e) {
                  throw new UncheckedIOException(e);
                }
              });
      return ExitCode.OK;
    } catch (UncheckedIOException e) {
      throw e.getCause();
    } catch (IOException e) {
      screen.complain(String.valueOf(e.getMessage()));
      return ExitCode.FAILED;
    }
  }

  private LogFormat format(Screen screen) {
    return asked.orElse(screen.console().outIsTerminal() ? LogFormat.PRETTY : LogFormat.RAW);
  }

  private int bytes(NativeClient client, String id, Screen screen)
      throws IOException, ApiException {
    var request = ReadRequest.newBuilder().setLive(query.getFollow());
    request.getProcessBuilder().setId(id);
    if (query.hasTail()) {
      request.setLastLines(query.getTail());
    }
    if (query.getStreamValue() != 0) {
      request.addStreams(query.getStream());
    }
    new OutputReader(client, screen, PATIENCE).copy(request.build());
    return ExitCode.OK;
  }

  private int lines(NativeClient client, LogQuery first, Screen screen)
      throws IOException, ApiException {
    var next = first;
    var goneSince = OptionalLong.empty();
    while (true) {
      try (var answers = client.logs(next)) {
        for (var event = answers.next(); event.isPresent(); event = answers.next()) {
          goneSince = OptionalLong.empty();
          if (event.get().hasEnd()) {
            return ExitCode.OK;
          }
          var cursor = show(event.get(), screen);
          if (!cursor.isEmpty()) {
            // The last lines have been shown: what comes next comes behind them.
            next = first.toBuilder().setCursor(cursor).clearTail().build();
          }
        }
        throw new IOException("the answer ended before the log did");
      } catch (Display.OutputClosedException e) {
        throw e;
      } catch (IOException e) {
        // An agent that is replaced, or started again, costs a follower nothing.
        var now = System.nanoTime();
        if (!first.getFollow()
            || next.getCursor().isEmpty()
            || (goneSince.isPresent() && now - goneSince.getAsLong() > PATIENCE.toNanos())) {
          throw e;
        }
        goneSince = OptionalLong.of(goneSince.orElse(now));
        pause();
      }
    }
  }

  private static void pause() throws IOException {
    try {
      Thread.sleep(RETRY_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /// Returns where to go on; empty when the message does not say.
  private String show(LogResponse response, Screen screen) throws Display.OutputClosedException {
    return switch (response.getEventCase()) {
      case ENTRY -> {
        screen.line(format(screen).line(response.getEntry(), timestamps, screen));
        yield response.getEntry().getCursor();
      }
      case GAP -> {
        var gap = response.getGap();
        screen.complain(
            "process %s: %d bytes of %s are gone: %d to %d"
                .formatted(
                    gap.getProcessId(),
                    gap.getEndOffset() - gap.getStartOffset(),
                    LogFormat.name(gap.getStream()),
                    gap.getStartOffset(),
                    gap.getEndOffset()));
        yield "";
      }
      case HEARTBEAT -> response.getHeartbeat().getCursor();
      case END, EVENT_NOT_SET -> "";
    };
  }
}

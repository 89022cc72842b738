package dev.sandpiper.agent.cli;

import com.google.protobuf.ByteString;
import dev.sandpiper.agent.cli.Display.OutputClosedException;
import dev.sandpiper.proto.v1.Gap;
import dev.sandpiper.proto.v1.Offsets;
import dev.sandpiper.proto.v1.ReadEnd;
import dev.sandpiper.proto.v1.ReadRequest;
import dev.sandpiper.proto.v1.ReadResponse;
import dev.sandpiper.proto.v1.Stream;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/// Reads the output of one process by offset. A connection that breaks is made again, and reading goes on at the next byte:
/// an agent that is replaced, or killed and started again, costs a live reader nothing.
final class OutputReader {
  private static final long RETRY_NANOS = Duration.ofMillis(200).toNanos();

  private final NativeClient client;
  private final Screen screen;
  private final long patienceNanos;
  private final Offsets.Builder next = Offsets.newBuilder();
  private boolean positioned;

  /// @param patience how long an agent that has gone is waited for
  OutputReader(NativeClient client, Screen screen, Duration patience) {
    this.client = client;
    this.screen = screen;
    this.patienceNanos = patience.toNanos();
  }

  /// Prints each stream to its own, and says on standard error which bytes are gone. Returns the last message of the answer.
  ReadEnd copy(ReadRequest request) throws IOException, ApiException {
    var asked = request;
    var goneSince = 0L;
    while (true) {
      try (var answers = client.read(asked)) {
        for (var event = answers.next(); event.isPresent(); event = answers.next()) {
          goneSince = 0;
          var end = show(event.get());
          if (end.isPresent()) {
            return end.get();
          }
        }
        throw new IOException("the answer ended before the output did");
      } catch (OutputClosedException e) {
        throw e;
      } catch (IOException e) {
        goneSince = retry(goneSince, e);
      } catch (ApiException e) {
        if (!e.code().equals("unavailable")) {
          throw e;
        }
        goneSince = retry(goneSince, new IOException(e.text(), e));
      }
      asked = request.toBuilder().setOffsets(next).build();
    }
  }

  private long retry(long goneSince, IOException failure) throws IOException {
    var now = System.nanoTime();
    if (!positioned || (goneSince != 0 && now - goneSince > patienceNanos)) {
      throw failure;
    }
    LockSupport.parkNanos(RETRY_NANOS);
    return goneSince == 0 ? now : goneSince;
  }

  private Optional<ReadEnd> show(ReadResponse response) throws OutputClosedException {
    switch (response.getEventCase()) {
      case START -> {
        response
            .getStart()
            .getPositionsList()
            .forEach(position -> moveTo(position.getStream(), position.getOffset()));
        positioned = true;
      }
      case DATA -> {
        var data = response.getData();
        print(data.getStream(), data.getBytes());
        moveTo(data.getStream(), data.getOffset() + data.getBytes().size());
      }
      case GAP -> {
        screen.complain(gone(response.getGap()));
        moveTo(response.getGap().getStream(), response.getGap().getEndOffset());
      }
      case END -> {
        return Optional.of(response.getEnd());
      }
      case HEARTBEAT, EVENT_NOT_SET -> {}
    }
    return Optional.empty();
  }

  static String gone(Gap gap) {
    return "%d bytes of %s are gone: %d to %d"
        .formatted(
            gap.getEndOffset() - gap.getStartOffset(),
            LogFormat.name(gap.getStream()),
            gap.getStartOffset(),
            gap.getEndOffset());
  }

  private void print(Stream stream, ByteString bytes) throws OutputClosedException {
    if (stream == Stream.STREAM_STDERR) {
      screen.err(bytes);
    } else {
      screen.out(bytes);
    }
  }

  private void moveTo(Stream stream, long offset) {
    switch (stream) {
      case STREAM_STDOUT -> next.setStdout(offset);
      case STREAM_STDERR -> next.setStderr(offset);
      case STREAM_TERMINAL -> next.setTerminal(offset);
      case STREAM_UNSPECIFIED, UNRECOGNIZED -> {}
    }
  }
}

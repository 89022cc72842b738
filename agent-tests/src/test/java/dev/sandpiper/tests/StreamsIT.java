package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.StreamInputRequest;
import dev.sandpiper.proto.process.StreamInputResponse;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Background;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Deadline;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Numbers;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RpcCall;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Wire;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// Flow control, cancellation, deadlines and half-closed requests, from one end to the other, on every wire. Where tests
/// mostly wait they do so on all wires at once.
///
/// A command that is held back shows what the agent knows of a client that does not read: the retention is small and the
/// stall limit long, so the command stands still until its client reads, leaves, or is ended.
final class StreamsIT {
  private static final long RETENTION_BYTES = 1 << 20;

  /// More than the retention and all that sockets and windows hold.
  private static final Numbers HELD = Numbers.ofAtLeast(24 << 20);

  @RegisterExtension
  static final Agent AGENT =
      Agent.with(builder ->
          builder.flag("--output-retention", RETENTION_BYTES).flag("--stall-limit", "10m"));

  /// Runs the same on each wire at the same time, with a client of its own.
  private static void onEveryWire(AgentProcess agent, Consumer<Client> test) {
    List<CompletableFuture<Void>> all =
        Arrays.stream(Wire.values())
            .map(wire ->
                Background.run(() -> {
                  try (Processes processes = wire.client(agent)) {
                    test.accept(new Client(wire, processes));
                  } catch (RuntimeException | AssertionError e) {
                    throw new AssertionError("on " + wire, e);
                  }
                }))
            .toList();
    CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)).join();
  }

  private record Client(Wire wire, Processes processes) {}

  /// Waits until a command has written something and then nothing more for a while.
  private static void awaitHeld(int pid) {
    long[] last = {-1};
    await("the command is held back")
        .atMost(Deadline.PATIENCE)
        .pollInterval(Duration.ofMillis(300))
        .until(() -> {
          long written = ProcFs.written(pid);
          boolean same = written == last[0] && written > RETENTION_BYTES;
          last[0] = written;
          return same;
        });
    assertThat(last[0]).isLessThan(HELD.bytes());
  }

  private static long millis(long startedNanos) {
    return Measured.since(startedNanos).toMillis();
  }

  /// All clients read half, pause at the same time, and read the rest. What they have not read stays in the log.
  @Test
  void readersThatPauseForFiveSecondsLoseNothingAndCostNoMemory() {
    long bytes = 64 << 20;
    Duration pause = Duration.ofSeconds(5);
    Command seeded =
        Command.python(
            """
            import hashlib, os, random, sys
            sys.stdin.readline()
            hash = hashlib.sha256()
            source = random.Random(20260131)
            for _ in range(64):
                part = source.randbytes(1 << 20)
                hash.update(part)
                sys.stdout.buffer.write(part)
            sys.stdout.flush()
            os.write(2, hash.hexdigest().encode())
            """);
    try (AgentProcess agent = AgentProcess.builder().flag("--output-retention", 2 * bytes).start();
        Follower first = agent.binary().start(seeded.stdin())) {
      int pid = first.pid();
      onEveryWire(agent, client -> client.processes().run(Command.of("seq", "1", "300000")));
      long before = ProcFs.residentBytes(agent.pid());
      ProcFs.resetPeak(agent.pid());
      long started = System.nanoTime();
      CyclicBarrier attached =
          new CyclicBarrier(Wire.values().length, () -> agent.json().sendStdin(pid, "\n"));
      onEveryWire(
          agent,
          client -> {
            try (Follower reader = client.processes().connect(pid).withoutKeepingOutput()) {
              reader.pid();
              join(attached);
              MessageDigest digest = Numbers.sha256();
              StringBuilder expected = new StringBuilder();
              boolean paused = false;
              for (Event event = reader.next();
                  !(event instanceof Event.End);
                  event = reader.next()) {
                if (event instanceof Event.Data(String stream, ByteString data)) {
                  if (stream.equals("stderr")) {
                    expected.append(data.toStringUtf8());
                  } else {
                    digest.update(data.asReadOnlyByteBuffer());
                  }
                }
                if (!paused && reader.bytes() >= bytes / 2) {
                  paused = true;
                  sleep(pause); // the pause itself is what is tested
                }
              }
              assertThat(reader.end().exitCode()).isZero();
              assertThat(HexFormat.of().formatHex(digest.digest())).isEqualTo(expected.toString());
              assertThat(reader.bytes()).isEqualTo(bytes + expected.length());
            }
          });
      long peak = ProcFs.peakResidentBytes(agent.pid());
      Measured.print(
          "%d MiB to each of %d clients that pause for %d s: %.1f s; resident memory %d MiB, at most %d MiB",
          bytes >> 20,
          Wire.values().length,
          pause.toSeconds(),
          Measured.seconds(Measured.since(started)),
          before >> 20,
          peak >> 20);
      assertThat(peak - before).isLessThan(48 << 20);
    }
  }

  private static void join(CyclicBarrier barrier) {
    try {
      barrier.await(Deadline.PATIENCE.toSeconds(), TimeUnit.SECONDS);
    } catch (Exception e) {
      throw new AssertionError("not all clients came so far", e);
    }
  }

  private static void sleep(Duration duration) {
    try {
      Thread.sleep(duration);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aClientThatCancelsLetsItsCommandGoOnAtOnce() {
    onEveryWire(
        AGENT.get(),
        client -> {
          Follower run = client.processes().start(HELD.afterInput().tag("cancel-" + client.wire()));
          int pid = run.pid();
          AGENT.get().json().sendStdin(pid, "\n");
          awaitHeld(pid);
          long written = ProcFs.written(pid);
          long started = System.nanoTime();
          run.close();
          await("the command goes on")
              .atMost(Deadline.PATIENCE)
              .pollInterval(Duration.ofMillis(2))
              .until(() -> !ProcFs.runs(pid) || ProcFs.written(pid) > written);
          Measured.print(
              "%s: the client cancels, its command goes on after %d ms",
              client.wire(), millis(started));
        });
    assertAllEnded("cancel-");
  }

  /// Commands that have no client any more run to their end.
  private static void assertAllEnded(String tag) {
    for (Wire wire : Wire.values()) {
      assertThat(AGENT.get().records().awaitEnd(tag + wire).getLast().number("stdout_bytes"))
          .as("%s", wire)
          .isEqualTo(HELD.bytes());
    }
  }

  @Test
  void aCallThatTheServerEndsIsOverForItsClientToo() {
    onEveryWire(
        AGENT.get(),
        client -> {
          Follower run = client.processes().start(Command.of("cat").stdin());
          int pid = run.pid();
          try (RpcCall<StreamInputRequest, StreamInputResponse> input =
              client.processes().openInput()) {
            input.send(Processes.inputFor(Processes.pid(pid)));
            input.send(Processes.input("taken\n"));
            run.await("stdout", "taken\n");
            long started = System.nanoTime();
            input.send(Processes.inputFor(Processes.tag("nobody")));
            RpcException error = catchThrowableOfType(RpcException.class, input::only);
            long delay = millis(started);
            assertThat(error.code()).isEqualTo("not_found");

            started = System.nanoTime();
            AGENT.get().json().kill(pid);
            assertThat(run.end().status()).isEqualTo("signal: killed");
            Measured.print(
                "%s: refused in the middle of its requests, the client sees it after %d ms; "
                    + "from SendSignal to the end of the call %d ms",
                client.wire(), delay, millis(started));
          }
        });
  }

  @Test
  void aDeadlineEndsACallWhoseClientReadsNothing() {
    AgentProcess agent = AGENT.get();
    Duration limit = Duration.ofSeconds(2);
    long sockets = sockets(agent);
    onEveryWire(
        agent,
        client -> {
          Command command = HELD.afterInput().tag("deadline-" + client.wire());
          int pid;
          try (Follower starter = agent.json().start(command)) {
            pid = starter.pid();
          }
          long started = System.nanoTime();
          try (Follower late =
              client.processes().connect(Processes.pid(pid), client.wire().timeout(limit))) {
            late.withoutKeepingOutput().pid();
            agent.json().sendStdin(pid, "\n");
            long letGo = whenItGoesOnAfter(started + limit.toNanos(), pid);
            Duration took = Duration.ofNanos(letGo - started);
            assertThat(late.error().code()).isEqualTo("deadline_exceeded");
            Measured.print(
                "%s: a client that reads nothing is ended, its command goes on %d ms after the deadline",
                client.wire(), took.minus(limit).toMillis());
            assertThat(late.bytes()).as("it was blocked").isLessThan(HELD.bytes());
            assertThat(took).isLessThan(limit.plus(Deadline.PATIENCE));
          }
        });
    assertAllEnded("deadline-");
    await("no connection is left").until(() -> sockets(agent) <= sockets);
    assertThat(agent.json().list()).isEmpty();
  }

  /// Waits for a moment, and then until a command that stood still goes on or has ended; gives the time.
  private static long whenItGoesOnAfter(long nanoTime, int pid) {
    long[] written = {Long.MAX_VALUE};
    await("the command goes on")
        .atMost(Deadline.PATIENCE)
        .pollInterval(Duration.ofMillis(2))
        .until(() -> {
          if (System.nanoTime() - nanoTime < 0) {
            written[0] = ProcFs.written(pid);
            return false;
          }
          return !ProcFs.runs(pid) || ProcFs.written(pid) > written[0];
        });
    return System.nanoTime();
  }

  private static long sockets(AgentProcess agent) {
    return ProcFs.descriptors(agent.pid()).values().stream()
        .filter(it -> it.startsWith("socket:"))
        .count();
  }

  /// The client has said all it wants before the command has read any of it.
  @Test
  void inputThatIsHalfClosedAtOnceArrivesWhole(@TempDir Path directory) {
    byte[] part = new byte[64 * 1024];
    new Random(7).nextBytes(part);
    int parts = 8; // in JSON too less than the window of a stream, so nothing waits for the command
    MessageDigest expected = Numbers.sha256();
    for (int i = 0; i < parts; i++) {
      expected.update(part);
    }
    String hash = HexFormat.of().formatHex(expected.digest());
    onEveryWire(
        AGENT.get(),
        client -> {
          Path gate = directory.resolve("gate-" + client.wire());
          Command command =
              Command.sh("while ! [ -e \"$0\" ]; do sleep 0.02; done; exec sha256sum", gate)
                  .stdin();
          try (Follower run = client.processes().start(command);
              RpcCall<StreamInputRequest, StreamInputResponse> input =
                  client.processes().openInput()) {
            input.send(Processes.inputFor(Processes.pid(run.pid())));
            for (int i = 0; i < parts; i++) {
              input.send(Processes.input(ByteString.copyFrom(part)));
            }
            input.halfClose();
            create(gate);
            assertThat(only(input)).isEqualTo(StreamInputResponse.getDefaultInstance());
            client.processes().closeStdin(run.pid());
            run.end();
            assertThat(run.stdout()).startsWith(hash);
          }
        });
  }

  /// Each request of a bidirectional call has its answer, also when the last one has been sent before the first is read.
  @Test
  void aBidirectionalCallThatIsHalfClosedAtOnceIsAnsweredWhole() {
    List<String> symbols =
        List.of("process.Process", "grpc.health.v1.Health", "process.StartRequest");
    onEveryWire(
        AGENT.get(),
        client -> {
          try (RpcCall<ServerReflectionRequest, ServerReflectionResponse> call =
              client
                  .processes()
                  .rpc()
                  .open(ServerReflectionGrpc.getServerReflectionInfoMethod(), Map.of())) {
            for (String symbol : symbols) {
              call.send(
                  ServerReflectionRequest.newBuilder().setFileContainingSymbol(symbol).build());
            }
            call.halfClose();
            for (String symbol : symbols) {
              ServerReflectionResponse answer =
                  Objects.requireNonNull(call.next(Deadline.PATIENCE), "ended too early");
              assertThat(answer.getOriginalRequest().getFileContainingSymbol()).isEqualTo(symbol);
              assertThat(answer.hasFileDescriptorResponse()).isTrue();
            }
            assertThat(call.next(Deadline.PATIENCE)).isNull();
          } catch (TimeoutException e) {
            throw new AssertionError("no answer", e);
          }
        });
  }

  private static <R> R only(RpcCall<?, R> call) {
    try {
      return call.only();
    } catch (TimeoutException e) {
      throw new AssertionError("no answer", e);
    }
  }

  private static void create(Path file) {
    try {
      Files.createFile(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

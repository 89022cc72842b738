package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.ProcessConfig;
import dev.sandpiper.proto.v1.Data;
import dev.sandpiper.proto.v1.Gap;
import dev.sandpiper.proto.v1.Offsets;
import dev.sandpiper.proto.v1.ProcessRef;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import dev.sandpiper.proto.v1.ReadRequest;
import dev.sandpiper.proto.v1.StartRequest;
import dev.sandpiper.proto.v1.Stream;
import dev.sandpiper.proto.v1.WriteRequest;
import dev.sandpiper.proto.v1.WriteResponse;
import dev.sandpiper.tests.harness.Agent;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Background;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.ConnectClient;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Numbers;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.Reader;
import dev.sandpiper.tests.harness.RpcClient;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Scrape;
import dev.sandpiper.tests.harness.Shell;
import dev.sandpiper.tests.harness.Wire;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/// Output by offset and input by offset, as clients of `sandpiper.v1` see them. Tests of rows of the contract's table of
/// others' defects have their numbers in the comments.
final class ReadWriteIT {
  private static final boolean PROOF = Boolean.getBoolean("sandpiper.proof");
  private static final Stream STDOUT = Stream.STREAM_STDOUT;
  private static final Stream STDERR = Stream.STREAM_STDERR;
  private static final List<Wire> WIRES =
      List.of(Wire.GRPC, Wire.CONNECT_JSON, Wire.CONNECT_BINARY);

  @RegisterExtension static final Agent AGENT = Agent.withDefaults();

  private static RpcClient grpc() {
    return AGENT.get().grpcClient();
  }

  /// Starts it without anybody attached, so that nobody holds it. Returns its id.
  private static String start(AgentProcess agent, Command command) {
    ProcessConfig config = command.request().getProcess();
    return agent
        .grpcClient()
        .unary(
            ProcessesGrpc.getStartMethod(),
            StartRequest.newBuilder()
                .setCommand(
                    dev.sandpiper.proto.v1.Command.newBuilder()
                        .setCmd(config.getCmd())
                        .addAllArgs(config.getArgsList())
                        .setStdin(command.request().getStdin()))
                .build(),
            Map.of())
        .getProcess()
        .getId();
  }

  /// Waits for its end too.
  private static String ended(Command command) {
    String id = start(AGENT.get(), command);
    new Reader(grpc(), Reader.of(id).setEnd(true).setLive(true).build()).all();
    return id;
  }

  private static void begin(AgentProcess agent, String id) {
    write(agent.grpcClient(), id, 0, utf8("\n"), false);
  }

  private static Offsets stdout(long offset) {
    return Offsets.newBuilder().setStdout(offset).build();
  }

  private static RpcException refusal(ReadRequest.Builder request) {
    return catchThrowableOfType(
        RpcException.class, () -> new Reader(grpc(), request.build()).all());
  }

  @Test
  void readingAnOffsetTwiceGivesTheSameBytesOnEveryWire() {
    String id = ended(Command.sh("seq 1 30000; seq 1 5000 >&2; exit 3"));
    ByteString all = null;
    for (Wire wire : WIRES) {
      try (Processes client = wire.client(AGENT.get())) {
        Reader whole = new Reader(client.rpc(), Reader.of(id).build()).all();
        assertThat(whole.end().getEnd().getExitCode()).isEqualTo(3);
        assertThat(whole.text(STDERR)).startsWith("1\n2\n").endsWith("\n5000\n");
        if (all == null) {
          all = whole.output(STDOUT);
        }
        assertThat(whole.output(STDOUT)).isEqualTo(all);
        assertThat(whole.order()).allMatch(data -> data.getTimeUs() > 1_600_000_000_000_000L);
        for (int offset : new int[] {0, 1, 32 * 1024, 100_000, all.size() - 1, all.size()}) {
          for (boolean live : new boolean[] {false, true}) {
            Reader part =
                new Reader(
                        client.rpc(),
                        Reader.of(id)
                            .setOffsets(stdout(offset))
                            .addStreams(STDOUT)
                            .setLive(live)
                            .build())
                    .all();
            assertThat(part.output(STDOUT)).isEqualTo(all.substring(offset));
          }
        }
      }
    }
  }

  @Test
  void theLastLinesAreThoseOfTheStreamsAskedFor() {
    String id =
        ended(
            Command.sh(
                "for i in 1 2 3; do echo out$i; sleep 0.05; echo err$i >&2; sleep 0.05; done; printf rest"));
    Reader both = new Reader(grpc(), Reader.of(id).setLastLines(3).build()).all();
    assertThat(both.text(STDOUT)).isEqualTo("out3\nrest");
    assertThat(both.text(STDERR)).isEqualTo("err3\n");
    assertThat(both.order()).extracting(Data::getStream).containsExactly(STDOUT, STDERR, STDOUT);
    Reader errors =
        new Reader(grpc(), Reader.of(id).setLastLines(2).addStreams(STDERR).build()).all();
    assertThat(errors.text(STDERR)).isEqualTo("err2\nerr3\n");
    assertThat(errors.at(STDOUT)).isZero();
    assertThat(new Reader(grpc(), Reader.of(id).setLastLines(0).build()).all().order()).isEmpty();
    assertThat(new Reader(grpc(), Reader.of(id).setLastLines(1_000_000).build()).all().text(STDOUT))
        .startsWith("out1\n");
  }

  @Test
  void exactTimesTellPiecesApart() {
    String id = ended(Command.sh("for i in 1 2 3; do echo $i; sleep 0.05; done"));
    assertThat(new Reader(grpc(), Reader.of(id).build()).all().order()).hasSize(1);
    List<Data> pieces = new Reader(grpc(), Reader.of(id).setExactTimes(true).build()).all().order();
    assertThat(pieces).hasSize(3);
    assertThat(pieces.get(2).getTimeUs() - pieces.get(0).getTimeUs()).isGreaterThan(90_000);
  }

  /// T-1, T-38: the reader is cut off again and again while the command prints, and goes on where it was.
  @Test
  void aReaderThatIsCutAgainAndAgainMissesNothing() {
    Numbers numbers = Numbers.ofAtLeast(PROOF ? 64 << 20 : 6 << 20);
    Random random = new Random(1);
    for (Wire wire : WIRES) {
      try (Processes client = wire.client(AGENT.get())) {
        String id = start(AGENT.get(), numbers.afterInput());
        MessageDigest digest = Numbers.sha256();
        Reader reader = Reader.live(client.rpc(), id);
        reader.start();
        begin(AGENT.get(), id);
        int cuts = PROOF ? 100 : 10;
        for (int cut = 0; cut < cuts; cut++) {
          for (long to = reader.at(STDOUT) + random.nextLong(400_000); reader.at(STDOUT) < to; ) {
            reader.next();
          }
          digest.update(reader.output(STDOUT).asReadOnlyByteBuffer());
          Reader next = reader.resume(client.rpc());
          reader.close();
          reader = next;
        }
        digest.update(reader.all().output(STDOUT).asReadOnlyByteBuffer());
        assertThat(reader.at(STDOUT)).isEqualTo(numbers.bytes());
        assertThat(HexFormat.of().formatHex(digest.digest())).isEqualTo(numbers.hash());
        assertThat(reader.gaps()).isEmpty();
      }
    }
  }

  /// T-2: nobody waits for a reader that sleeps, and it gets every line.
  @Test
  void aReaderThatSleepsHoldsNothingAndGetsEveryLine() {
    Processes small = AGENT.get().binaryWithReceiveBuffer(16 * 1024);
    String id = start(AGENT.get(), Command.sh("read line; exec seq 1 100000").stdin());
    try (Reader sleeper = Reader.live(small.rpc(), id)) {
      sleeper.start();
      long started = System.nanoTime();
      begin(AGENT.get(), id);
      new Reader(grpc(), Reader.of(id).setEnd(true).setLive(true).build()).all();
      Measured.print(
          "100,000 lines beside a sleeping reader: %.2f s",
          Measured.seconds(Measured.since(started)));
      assertThat(sleeper.all().text(STDOUT).lines().toList()).hasSize(100_000).endsWith("100000");
      assertThat(sleeper.gaps()).isEmpty();
    }
  }

  /// T-2, T-18: with a retention of 16 MiB, what was received and what was announced as a gap are what was printed.
  @Test
  void whatIsReceivedAndWhatIsAGapTogetherAreWhatWasPrinted() {
    try (AgentProcess agent = AgentProcess.builder().flag("--output-retention", 16 << 20).start()) {
      Numbers numbers = Numbers.ofAtLeast(PROOF ? 512L << 20 : 64L << 20);
      Processes small = agent.binaryWithReceiveBuffer(16 * 1024);
      String id = start(agent, numbers.afterInput());
      try (Reader slow = Reader.live(small.rpc(), id).withoutKeeping()) {
        slow.start();
        begin(agent, id);
        new Reader(agent.grpcClient(), Reader.of(id).setEnd(true).setLive(true).build()).all();
        slow.all();
        long inGaps = 0;
        for (Gap gap : slow.gaps()) {
          inGaps += gap.getEndOffset() - gap.getStartOffset();
        }
        Measured.print(
            "%d MiB printed, retention 16 MiB: %d MiB received, %d MiB in %d gaps",
            numbers.bytes() >> 20, slow.bytes(STDOUT) >> 20, inGaps >> 20, slow.gaps().size());
        assertThat(slow.gaps()).isNotEmpty();
        assertThat(slow.bytes(STDOUT) + inGaps).isEqualTo(numbers.bytes());

        // Reading what is gone: the gap has the bounds of what is kept.
        Reader again = new Reader(agent.grpcClient(), Reader.of(id).setStart(true).build()).all();
        long kept = again.start().getProcess().getStreams(0).getStartOffset();
        assertThat(kept).isPositive();
        assertThat(again.gaps().getFirst().getStartOffset()).isZero();
        assertThat(again.gaps().getLast().getEndOffset()).isEqualTo(kept);
        assertThat(again.bytes(STDOUT)).isEqualTo(numbers.bytes() - kept);
        assertThat(again.text(STDOUT)).endsWith("\n" + numbers.last() + "\n");
        for (long inside : new long[] {1, kept - 1, kept, kept + 1}) {
          Reader from =
              new Reader(agent.grpcClient(), Reader.of(id).setOffsets(stdout(inside)).build())
                  .all();
          assertThat(from.bytes(STDOUT)).isEqualTo(numbers.bytes() - Math.max(inside, kept));
          assertThat(from.gaps()).hasSize(inside < kept ? 1 : 0);
        }
      }
    }
  }

  /// T-3: a command prints 64 KiB and exits at once.
  @Test
  void everyByteComesAndThenTheEnd() {
    int commands = PROOF ? 1_000 : 60;
    long started = System.nanoTime();
    for (int i = 0; i < commands; i++) {
      Wire wire = WIRES.get(i % WIRES.size());
      String id = start(AGENT.get(), Command.sh("head -c 65536 /dev/zero; exit 7"));
      try (Processes client = wire.client(AGENT.get());
          Reader reader = Reader.live(client.rpc(), id)) {
        reader.all();
        assertThat(reader.bytes(STDOUT)).isEqualTo(65_536);
        assertThat(reader.end().getEnd().getExitCode()).isEqualTo(7);
      }
    }
    Measured.print(
        "%d commands of 64 KiB: %.2f s", commands, Measured.seconds(Measured.since(started)));
  }

  /// T-4: what a background child prints after the end is read by its offset.
  @Test
  void whatComesAfterTheEndIsReadableToo() {
    String id = start(AGENT.get(), Command.sh("echo before; (sleep 3; echo after) &"));
    Reader reader = Reader.live(grpc(), id).all();
    assertThat(reader.text(STDOUT)).isEqualTo("before\n");
    assertThat(reader.resume(grpc()).end().getEnd().getExitCode()).isZero();
    await()
        .untilAsserted(() ->
            assertThat(new Reader(grpc(), Reader.of(id).build()).all().text(STDOUT))
                .isEqualTo("before\nafter\n"));
    // Behind the end, live is up to the last holder of the streams.
    Reader late =
        new Reader(grpc(), Reader.of(id).setOffsets(stdout(8)).setLive(true).build()).all();
    assertThat(late.text(STDOUT)).isEqualTo("fter\n");
  }

  /// T-16.
  @Test
  void aReaderThatLeavesLeavesNothingBehind() {
    try (AgentProcess agent = AgentProcess.start()) {
      String id = start(agent, Command.of("sleep", "60"));
      double before = readers(agent);
      List<Reader> readers = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        readers.add(Reader.live(agent.binary().rpc(), id));
        readers.getLast().start();
      }
      assertThat(readers(agent)).isEqualTo(before + 20);
      readers.forEach(Reader::close);
      await().until(() -> readers(agent) == before);
    }
  }

  private static double readers(AgentProcess agent) {
    Scrape scrape = Scrape.of(agent);
    return scrape.value("sandpiper_output_readers{kind=\"client\"}")
        + scrape.value("sandpiper_output_readers{kind=\"records\"}");
  }

  /// T-17, T-18.
  @Test
  void whatCannotBeReadIsRefusedWithTheBounds() {
    String id = ended(Command.sh("printf 12345"));
    RpcException future = refusal(Reader.of(id).setOffsets(stdout(6)));
    assertThat(future.code()).isEqualTo("out_of_range");
    assertThat(future.detail()).contains("offset 6 of stdout", "0 to 5");
    assertThat(refusal(Reader.of(id).setOffsets(stdout(-1))).code()).isEqualTo("invalid_argument");
    RpcException otherStream =
        refusal(Reader.of(id).setOffsets(Offsets.newBuilder().setTerminal(1)));
    assertThat(otherStream.code()).isEqualTo("invalid_argument");
    assertThat(otherStream.detail()).contains("terminal", "STREAM_STDOUT");
    assertThat(refusal(Reader.of(id).addStreams(Stream.STREAM_TERMINAL)).detail())
        .contains("STREAM_TERMINAL", "STREAM_STDOUT and STREAM_STDERR");
    assertThat(refusal(Reader.of(id).setLastLines(-1)).code()).isEqualTo("invalid_argument");
    assertThat(refusal(Reader.of(id).setHeartbeatMs(-1)).code()).isEqualTo("invalid_argument");
    assertThat(refusal(Reader.of("nobody")).code()).isEqualTo("not_found");
    assertThat(refusal(ReadRequest.newBuilder()).code()).isEqualTo("invalid_argument");
  }

  /// T-32.
  @Test
  void anIdleAnswerHasHeartbeats() {
    String id = start(AGENT.get(), Command.sh("echo hello; exec sleep 60"));
    try (Reader reader =
        new Reader(
            grpc(), Reader.of(id).setStart(true).setLive(true).setHeartbeatMs(100).build())) {
      while (reader.heartbeats() < 5) {
        reader.next();
      }
      assertThat(reader.at(STDOUT)).isEqualTo(6);
      AGENT.get().json().kill(reader.start().getProcess().getPid());
      assertThat(reader.end().getEnd().getSignal()).isEqualTo(9);
    }
  }

  /// T-36.
  @Test
  void aDeadPeerIsDroppedAndANewStreamDeliversAtOnce() {
    try (AgentProcess agent = AgentProcess.builder().flag("--idle-timeout", "2s").start()) {
      Processes dead = agent.binaryWithReceiveBuffer(8 * 1024);
      String id = start(agent, Command.sh("while :; do seq 1 2000; sleep 0.01; done"));
      try (Reader stuck = Reader.live(dead.rpc(), id)) {
        int pid = stuck.start().getProcess().getPid();
        long started = System.nanoTime();
        try (Reader fresh = Reader.live(agent.grpcClient(), id).withoutKeeping()) {
          readOn(fresh);
          assertThat(Measured.since(started)).isLessThan(Duration.ofSeconds(20));
          double both = readers(agent);
          while (readers(agent) == both) {
            assertThat(Measured.since(started)).isLessThan(Duration.ofSeconds(60));
            readOn(fresh);
          }
          Measured.print(
              "a peer that takes nothing was dropped after %.1f s, limit 2 s",
              Measured.seconds(Measured.since(started)));
          assertThat(readers(agent)).isEqualTo(both - 1);
          readOn(fresh);
          assertThat(catchThrowable(stuck::all)).isInstanceOf(HttpConnection.Cut.class);
          agent.json().kill(pid);
        }
      }
    }
  }

  private static void readOn(Reader reader) {
    for (long from = reader.at(STDOUT); reader.at(STDOUT) < from + 50_000; ) {
      reader.next();
    }
  }

  // --- Input. ---

  private static WriteResponse write(
      RpcClient client, String id, long offset, ByteString bytes, boolean end) {
    return client.unary(
        ProcessesGrpc.getWriteMethod(),
        WriteRequest.newBuilder()
            .setProcess(ProcessRef.newBuilder().setId(id))
            .setOffset(offset)
            .setBytes(bytes)
            .setEnd(end)
            .build(),
        Map.of());
  }

  private static ByteString utf8(String text) {
    return ByteString.copyFrom(text, StandardCharsets.UTF_8);
  }

  /// T-37.
  @Test
  void aRepeatedWriteIsWrittenOnceAndAHoleIsRefused() {
    AgentProcess agent = AGENT.get();
    for (Wire wire : WIRES) {
      try (Processes client = wire.client(agent);
          Reader reader = Reader.live(client.rpc(), start(agent, Command.of("cat").stdin()))) {
        String id = reader.id();
        assertThat(write(client.rpc(), id, 0, utf8("hello "), false).getAcceptedOffset())
            .isEqualTo(6);
        assertThat(write(client.rpc(), id, 0, utf8("hello "), false).getAcceptedOffset())
            .isEqualTo(6);
        RpcException hole =
            catchThrowableOfType(
                RpcException.class, () -> write(client.rpc(), id, 7, utf8("x"), false));
        assertThat(hole.code()).isEqualTo("failed_precondition");
        assertThat(hole.detail()).contains("offset 7", "accepted 6 bytes");
        agent.json().sendStdin(reader.start().getProcess().getPid(), "wor");
        WriteResponse end = write(client.rpc(), id, 6, utf8("world"), true);
        assertThat(end.getAcceptedOffset()).isEqualTo(11);
        assertThat(end.getEnded()).isTrue();
        assertThat(reader.all().text(STDOUT)).isEqualTo("hello world");
        assertThat(write(client.rpc(), id, 6, utf8("world"), true).getAcceptedOffset())
            .isEqualTo(11);
      }
    }
  }

  /// Every third write is sent twice, and the agent is killed in the middle of it again and again: what arrives is what was
  /// written.
  @Test
  void theSumOfWhatArrivesIsThatOfWhatWasWritten(@TempDir Path state) {
    int writes = PROOF ? 5_000 : 400;
    int kills = PROOF ? 20 : 2;
    long seed = System.nanoTime();
    Random random = new Random(seed);
    MessageDigest digest = Numbers.sha256();
    List<AgentProcess> agents = new ArrayList<>();
    try {
      AgentProcess agent = AgentProcess.builder().stateDirectory(state).start();
      agents.add(agent);
      String id = start(agent, Command.of("sha256sum").stdin());
      long offset = 0;
      int repeated = 0;
      for (int i = 0; i < writes; i++) {
        byte[] bytes = new byte[1 + random.nextInt(i % 50 == 0 ? 200_000 : 2_000)];
        random.nextBytes(bytes);
        digest.update(bytes);
        ByteString message = ByteString.copyFrom(bytes);
        boolean kill = i % (writes / kills) == writes / kills / 2;
        if (kill) {
          // The answer to this one may be lost; whoever asks again cannot know.
          AgentProcess dying = agent;
          long at = offset;
          CompletableFuture<Void> unsure =
              Background.run(() -> {
                try (Processes client = dying.binary()) {
                  write(client.rpc(), id, at, message, false);
                } catch (RpcException | HttpConnection.Cut | UncheckedIOException lost) {
                  // as expected
                }
              });
          LockSupport.parkNanos(random.nextInt(3_000_000));
          dying.killHard();
          unsure.join();
          agent = AgentProcess.builder().stateDirectory(state).start();
          agents.add(agent);
        }
        RpcClient client = i % 2 == 0 ? agent.grpcClient() : agent.json().rpc();
        assertThat(write(client, id, offset, message, false).getAcceptedOffset())
            .as("write %d of seed %d", i, seed)
            .isEqualTo(offset + bytes.length);
        if (i % 3 == 0) {
          repeated++;
          write(client, id, offset, message, false);
        }
        offset += bytes.length;
      }
      try (Reader reader =
          new Reader(agent.grpcClient(), Reader.of(id).setStart(true).setLive(true).build())) {
        reader.start();
        assertThat(write(agent.grpcClient(), id, offset, ByteString.EMPTY, true).getEnded())
            .isTrue();
        assertThat(reader.all().text(STDOUT)).startsWith(HexFormat.of().formatHex(digest.digest()));
      }
      Measured.print(
          "%d writes, %d of them twice, %d kills, %d KiB: the sum is right (seed %d)",
          writes, repeated, kills, offset >> 10, seed);
    } finally {
      agents.forEach(AgentProcess::close);
    }
  }

  /// Agent and keeper both gone: only the file's path is left, and the agent says what it cannot know.
  @Test
  void whatTheKeeperCannotGiveBackIsInDoubtAndSaidSo(@TempDir Path directory) throws IOException {
    Path state = directory.resolve("state");
    Path go = directory.resolve("go");
    AgentProcess first = AgentProcess.builder().stateDirectory(state).start();
    try (first) {
      // It reads nothing until there is somebody who holds its input open again.
      Command command = Command.sh("until [ -e \"$0\" ]; do sleep 0.05; done; exec cat", go);
      String id = start(first, command.stdin());
      write(first.grpcClient(), id, 0, utf8("really before "), false);
      String keeper = Files.readAllLines(state.resolve("keeper")).get(1);
      first.killHard();
      Shell.run("kill", "-9", keeper.substring(0, keeper.indexOf(' '))).requireSuccess();
      try (AgentProcess second = AgentProcess.builder().stateDirectory(state).start()) {
        RpcClient client = second.grpcClient();
        Reader reader = Reader.live(client, id);
        assertThat(reader.start().getProcess().getFactsMap())
            .containsEntry("input_in_doubt", "0 to 14");
        RpcException doubt =
            catchThrowableOfType(
                RpcException.class, () -> write(client, id, 7, utf8("before "), false));
        assertThat(doubt.code()).isEqualTo("failed_precondition");
        assertThat(doubt.detail()).contains("0 to 14", "write at offset 14");
        Files.createFile(go);
        assertThat(write(client, id, 14, utf8("after"), true).getAcceptedOffset()).isEqualTo(19);
        assertThat(reader.all().text(STDOUT)).isEqualTo("really before after");
      }
    }
  }

  /// Compared in one run; the ratio is printed, since the machine decides the figures.
  @Test
  void readingIsAboutAsFastAsTheFollowingOfE2b() {
    Numbers numbers = Numbers.ofAtLeast(PROOF ? 256 << 20 : 32 << 20);
    try (AgentProcess agent =
        AgentProcess.builder()
            .flag("--output-retention", 2 * numbers.bytes())
            .flag("--output-total", 16 * numbers.bytes())
            .start()) {
      compareWithTheFollowingOfE2b(agent, numbers);
    }
  }

  private static void compareWithTheFollowingOfE2b(AgentProcess agent, Numbers numbers) {
    Command numbering = Command.of("seq", "1", Long.toString(numbers.last()));
    String id = start(agent, numbering);
    new Reader(agent.grpcClient(), Reader.of(id).setEnd(true).setLive(true).build()).all();
    ConnectClient client = new ConnectClient(agent.port(), ConnectClient.Codec.BINARY);
    for (int round = 0; round < 3; round++) {
      long started = System.nanoTime();
      agent.binary().start(numbering).withoutKeepingOutput().end();
      double start = Measured.seconds(Measured.since(started));
      started = System.nanoTime();
      Reader.live(client, start(agent, numbering)).withoutKeeping().all();
      double live = Measured.seconds(Measured.since(started));
      started = System.nanoTime();
      Reader summed = new Reader(client, Reader.of(id).build()).withoutKeeping().all();
      double checked = Measured.seconds(Measured.since(started));
      started = System.nanoTime();
      Reader plain =
          new Reader(client, Reader.of(id).setNoChecksum(true).build()).withoutKeeping().all();
      double unchecked = Measured.seconds(Measured.since(started));
      Measured.print(
          "%d MiB: Start %.3f s, Read live %.3f s; Read of what there is %.3f s, without checksum %.3f s",
          numbers.bytes() >> 20, start, live, checked, unchecked);
      assertThat(summed.bytes(STDOUT)).isEqualTo(numbers.bytes());
      assertThat(plain.bytes(STDOUT)).isEqualTo(numbers.bytes());
    }
  }
}

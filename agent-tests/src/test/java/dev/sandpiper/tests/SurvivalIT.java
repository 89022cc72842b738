package dev.sandpiper.tests;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.summingLong;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.ProcessInfo;
import dev.sandpiper.proto.v1.Data;
import dev.sandpiper.proto.v1.Offsets;
import dev.sandpiper.proto.v1.ProcessRef;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import dev.sandpiper.proto.v1.ReadRequest;
import dev.sandpiper.proto.v1.ReadResponse;
import dev.sandpiper.proto.v1.Stream;
import dev.sandpiper.tests.harness.Command;
import dev.sandpiper.tests.harness.Event;
import dev.sandpiper.tests.harness.Follower;
import dev.sandpiper.tests.harness.HttpConnection;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.MessageStream;
import dev.sandpiper.tests.harness.Numbers;
import dev.sandpiper.tests.harness.ProcFs;
import dev.sandpiper.tests.harness.Processes;
import dev.sandpiper.tests.harness.RestartedAgent;
import dev.sandpiper.tests.harness.RpcException;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/// The agent is killed, and a new one takes its commands over.
final class SurvivalIT {
  private static final boolean PROOF = Boolean.getBoolean("sandpiper.proof");
  private static final int KILLS = PROOF ? 200 : 8;
  private static final int CUTS = PROOF ? 100 : 8;
  private static final int TERMINAL_KILLS = PROOF ? 20 : 3;
  private static final long STDOUT_BYTES = (PROOF ? 256L : 12) << 20;
  private static final long STDERR_BYTES = (PROOF ? 64L : 3) << 20;

  /// Prints seeded random bytes to both streams, slowly until a file named `fast` is there, and leaves their sums in files.
  private static final String WRITER =
      """
      import hashlib, os, random, sys, threading, time
      pause = float(sys.argv[3])
      def write(fd, count):
          source, digest = random.Random(fd), hashlib.sha256()
          while count:
              part = source.randbytes(min(count, source.randrange(1, 65536)))
              count -= len(part)
              digest.update(part)
              while part:
                  part = part[os.write(fd, part):]
              if not os.path.exists('fast'):
                  time.sleep(pause)
          open('sum%d.new' % fd, 'w').write(digest.hexdigest())
          os.rename('sum%d.new' % fd, 'sum%d' % fd)
      both = [threading.Thread(target=write, args=(fd, int(sys.argv[fd]))) for fd in (1, 2)]
      for one in both: one.start()
      for one in both: one.join()
      sys.exit(23)
      """;

  private static ProcessInfo onlyProcess(RestartedAgent agent) {
    List<ProcessInfo> all = agent.processes().list();
    assertThat(all).hasSize(1);
    return all.getFirst();
  }

  /// The only process's id, from the name of its output.
  private static String processId(RestartedAgent agent) {
    try (java.util.stream.Stream<Path> files =
        Files.list(agent.stateDirectory().resolve("output"))) {
      return processOf(files.findFirst().orElseThrow());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String processOf(Path segment) {
    String name = segment.getFileName().toString();
    return name.substring(0, name.indexOf('.'));
  }

  private static void touch(Path file) {
    try {
      Files.createFile(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  // --- Output. ---

  /// T-8.
  @Test
  void bothStreamsAreWholeThroughKillsAndCuts() throws Exception {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    long begun = System.nanoTime();
    try (RestartedAgent agent =
        new RestartedAgent(
                "--output-retention=1GiB", "--output-total=2GiB", "--output-records=false")
            .start()) {
      int pid;
      try (Follower start = agent.processes().start(writer(agent))) {
        pid = start.pid();
        start.withoutKeepingOutput().awaitBytes(1);
      }
      Reader reader = new Reader(agent, processId(agent), random.nextLong());
      Thread reading = Thread.ofPlatform().start(reader);
      int whileStarting = 0;
      for (int kill = 0; kill < KILLS; kill++) {
        boolean early = kill % 4 == 3;
        if (early) {
          LockSupport.parkNanos(random.nextLong(200_000_000));
          whileStarting++;
        } else {
          agent.awaitServing();
          LockSupport.parkNanos(random.nextLong(300_000_000));
        }
        agent.kill();
        agent.launch();
      }
      agent.awaitServing();
      assertThat(onlyProcess(agent).getPid()).isEqualTo(pid);
      touch(agent.directory().resolve("fast"));
      reading.join(Duration.ofMinutes(5));
      reader.check();
      for (int fd = 1; fd <= 2; fd++) {
        String sum = Files.readString(agent.directory().resolve("sum" + fd));
        Stream stream = fd == 1 ? Stream.STREAM_STDOUT : Stream.STREAM_STDERR;
        assertThat(reader.sum(stream)).as("%s, seed %d", stream, seed).isEqualTo(sum);
        assertThat(reader.offset(stream)).isEqualTo(fd == 1 ? STDOUT_BYTES : STDERR_BYTES);
      }
      Event.End end = agent.processes().connect(pid).end();
      assertThat(end.exitCode()).as("the exit code").isEqualTo(23);
      Measured.print(
          "%d kills (%d while starting), %d cuts, %d and %d MiB: both SHA-256 equal; %.1f s, seed %d",
          KILLS,
          whileStarting,
          reader.cuts,
          STDOUT_BYTES >> 20,
          STDERR_BYTES >> 20,
          Measured.seconds(Measured.since(begun)),
          seed);
    }
  }

  private static Command writer(RestartedAgent agent) {
    // About as long as the kills take, at 32 KiB a piece.
    double pause = KILLS * 0.8 / (STDOUT_BYTES / 32768.0);
    return Command.of(
            "python3",
            "-c",
            WRITER,
            Long.toString(STDOUT_BYTES),
            Long.toString(STDERR_BYTES),
            Double.toString(pause))
        .cwd(agent.directory());
  }

  /// Reads both streams from where it is, and goes on there whenever the call breaks: by itself at random places, and when the
  /// agent is gone.
  private static final class Reader implements Runnable {
    private final RestartedAgent agent;
    private final String processId;
    private final Random random;
    private final Map<Stream, MessageDigest> digests = new EnumMap<>(Stream.class);
    private final Map<Stream, Long> offsets = new EnumMap<>(Stream.class);
    private volatile int cuts;
    private volatile boolean ended;
    private volatile Throwable failure = new AssertionError("not over");

    Reader(RestartedAgent agent, String processId, long seed) {
      this.agent = agent;
      this.processId = processId;
      this.random = new Random(seed);
      for (Stream stream : List.of(Stream.STREAM_STDOUT, Stream.STREAM_STDERR)) {
        digests.put(stream, Numbers.sha256());
        offsets.put(stream, 0L);
      }
    }

    @Override
    public void run() {
      try {
        while (!ended) {
          try (MessageStream<ReadResponse> answer = open()) {
            read(answer);
          } catch (RpcException
              | HttpConnection.Cut
              | UncheckedIOException
              | TimeoutException gone) {
            LockSupport.parkNanos(10_000_000); // the agent is between two lives
          }
        }
      } catch (RuntimeException | Error e) {
        failure = e;
      }
    }

    private MessageStream<ReadResponse> open() {
      return agent
          .rpc()
          .serverStream(
              ProcessesGrpc.getReadMethod(),
              ReadRequest.newBuilder()
                  .setProcess(ProcessRef.newBuilder().setId(processId))
                  .setOffsets(
                      Offsets.newBuilder()
                          .setStdout(offset(Stream.STREAM_STDOUT))
                          .setStderr(offset(Stream.STREAM_STDERR)))
                  .setLive(true)
                  .build(),
              Map.of());
    }

    private void read(MessageStream<ReadResponse> answer) throws TimeoutException {
      long total = STDOUT_BYTES + STDERR_BYTES;
      long left = cuts < CUTS ? random.nextLong(total / CUTS) : Long.MAX_VALUE;
      while (left > 0) {
        ReadResponse message = answer.next(Duration.ofSeconds(20));
        if (message == null) {
          return;
        }
        switch (message.getEventCase()) {
          case DATA -> {
            take(message.getData());
            left -= message.getData().getBytes().size();
          }
          case END -> {
            ended = message.getEnd().hasEnd();
            return;
          }
          case GAP -> throw new AssertionError("a gap: " + message);
          case START, HEARTBEAT, EVENT_NOT_SET -> {}
        }
      }
      int before = cuts; // this thread is the only one that counts
      cuts = before + 1;
    }

    private void take(Data data) {
      Stream stream = data.getStream();
      assertThat(data.getOffset()).as("offset of %s", stream).isEqualTo(offset(stream));
      ByteString bytes = data.getBytes();
      MessageDigest digest = digests.get(stream);
      if (digest == null) {
        throw new AssertionError("a stream that nobody asked for: " + stream);
      }
      bytes.asReadOnlyByteBufferList().forEach(digest::update);
      offsets.merge(stream, (long) bytes.size(), Long::sum);
    }

    long offset(Stream stream) {
      return offsets.getOrDefault(stream, 0L);
    }

    String sum(Stream stream) {
      MessageDigest digest = digests.get(stream);
      return digest == null ? "" : HexFormat.of().formatHex(digest.digest());
    }

    void check() {
      if (!ended) {
        throw new AssertionError("the reader is at " + offsets + ", " + agent.said(), failure);
      }
    }
  }

  // --- Ends. ---

  /// T-9.
  @Test
  void whatEndsWhileNoAgentRunsHasItsWholeOutputAndItsExitCode() {
    int commands = 50;
    try (RestartedAgent agent = new RestartedAgent().start()) {
      List<Integer> pids = new ArrayList<>();
      Processes processes = agent.processes();
      for (int i = 0; i < commands; i++) {
        Command command =
            Command.sh(
                    "echo up; while [ ! -e go ]; do sleep 0.05; done; head -c 20000 /dev/zero; echo %d; exit %d"
                        .formatted(i, i))
                .cwd(agent.directory());
        try (Follower start = processes.start(command)) {
          pids.add(start.pid());
          start.await("stdout", "up\n"); // by now the keeper has it
        }
      }
      agent.kill();
      touch(agent.directory().resolve("go"));
      await().until(() -> pids.stream().noneMatch(ProcFs::runs));
      agent.start();
      for (int i = 0; i < commands; i++) {
        try (Follower late = agent.processes().connect(pids.get(i))) {
          Event.End end = late.end();
          assertThat(end.exitCode()).as("command %d: %s", i, late).isEqualTo(i);
        }
      }
      await().until(() -> agent.processes().list().isEmpty());
      try (java.util.stream.Stream<Path> files =
          Files.list(agent.stateDirectory().resolve("output"))) {
        Collection<Long> sizes =
            files
                .filter(file -> file.toString().contains(".stdout."))
                .collect(groupingBy(SurvivalIT::processOf, summingLong(SurvivalIT::size)))
                .values();
        assertThat(sizes).hasSize(commands).allMatch(size -> size == 20_005 || size == 20_006);
      }
      Measured.print(
          "%d commands ended while no agent ran: all ends right, no byte lost", commands);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long size(Path file) {
    try {
      return Files.size(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  // --- Input and terminals. ---

  @Test
  void aShellOnATerminalAndInputGoOnThroughKills() {
    try (RestartedAgent agent = new RestartedAgent().start()) {
      int shell;
      int cat;
      Command bash = Command.of("/bin/sh").env("PS1", "$ ").pty(97, 31);
      try (Follower start = agent.processes().start(bash)) {
        shell = start.pid();
      }
      try (Follower start = agent.processes().start(Command.of("cat").stdin())) {
        cat = start.pid();
      }
      for (int kill = 0; kill < TERMINAL_KILLS; kill++) {
        agent.kill();
        agent.start();
        String line = "line-" + kill;
        try (Follower out = agent.processes().connect(cat)) {
          assertThat(out.pid()).isEqualTo(cat);
          agent.processes().sendStdin(cat, line + "\n");
          out.await("stdout", line + "\n");
          assertThat(out.stdout()).isEqualTo(line + "\n");
        }
        try (Follower screen = agent.processes().connect(shell)) {
          assertThat(screen.pid()).isEqualTo(shell);
          agent.processes().sendPty(shell, "echo $((1000 + " + kill + ")) $(stty size)\n");
          screen.await("pty", (1000 + kill) + " 31 97\r\n");
        }
      }
      try (Follower out = agent.processes().connect(cat);
          Follower screen = agent.processes().connect(shell)) {
        assertThat(out.pid() + screen.pid()).isPositive();
        agent.processes().closeStdin(cat);
        assertThat(out.end().exitCode()).as("cat has read the end of its input").isZero();
        agent.processes().sendPty(shell, "exit 9\n");
        assertThat(screen.end().exitCode()).isEqualTo(9);
      }
      Measured.print("a shell and cat through %d kills: every line answered once", TERMINAL_KILLS);
    }
  }

  // --- The keeper. ---

  @Test
  void aKeeperThatIsKilledIsReplacedAndHoldsEverythingAgain() {
    try (RestartedAgent agent = new RestartedAgent().start()) {
      int cat;
      try (Follower start = agent.processes().start(Command.of("cat").stdin())) {
        cat = start.pid();
      }
      await().until(() -> agent.keeperPid() != 0);
      long first = agent.keeperPid();
      ProcessHandle.of(first).ifPresent(ProcessHandle::destroyForcibly);
      await().until(() -> agent.keeperPid() != first && ProcFs.runs(agent.keeperPid()));
      agent.kill();
      agent.start();
      try (Follower out = agent.processes().connect(cat)) {
        assertThat(out.pid()).isEqualTo(cat);
        agent.processes().sendStdin(cat, "still here\n");
        out.await("stdout", "still here\n");
        agent.processes().closeStdin(cat);
        assertThat(out.end().exitCode()).isZero();
      }
      long keeper = agent.keeperPid();
      agent.stop();
      await("a clean stop ends the keeper").until(() -> !ProcFs.runs(keeper));
      assertThat(agent.keeperPid()).isZero();
    }
  }

  @Test
  void aCleanStopLeavesCommandsRunningWhereThatIsAskedFor() {
    try (RestartedAgent agent = new RestartedAgent("--on-stop=leave").start()) {
      int cat;
      try (Follower start = agent.processes().start(Command.of("cat").stdin())) {
        cat = start.pid();
      }
      agent.stop();
      assertThat(ProcFs.runs(cat)).isTrue();
      agent.start();
      try (Follower out = agent.processes().connect(cat)) {
        assertThat(out.pid()).isEqualTo(cat);
        agent.processes().sendStdin(cat, "left\n");
        out.await("stdout", "left\n");
        agent.processes().closeStdin(cat);
        assertThat(out.end().exitCode()).isZero();
      }
    }
  }

  @Test
  void withoutItsKeeperACommandGoesOnAndIsSaidToHaveLostSomething() {
    try (RestartedAgent agent = new RestartedAgent().start()) {
      int cat;
      try (Follower start = agent.processes().start(Command.of("cat").stdin())) {
        cat = start.pid();
      }
      int sleeper;
      try (Follower start =
          agent.processes().start(Command.sh("echo before; sleep 0.2; sleep 1000"))) {
        start.await("stdout", "before\n");
        sleeper = start.pid();
      }
      await().until(() -> agent.keeperPid() != 0);
      agent.kill();
      ProcessHandle.of(agent.keeperPid()).ifPresent(ProcessHandle::destroyForcibly);
      await().until(() -> !ProcFs.runs(agent.keeperPid()) && !ProcFs.runs(cat));
      agent.start();
      try (Follower out = agent.processes().connect(cat)) {
        // Its input ended with the keeper. If its parent has collected it by now, nobody knows
        // more.
        assertThat(out.end().status())
            .matches("exit status 0|exit status unknown: .*the keeper was gone");
      }
      try (Follower out = agent.processes().connect(sleeper)) {
        assertThat(out.pid()).isEqualTo(sleeper);
        agent.processes().kill(sleeper);
        assertThat(out.end().status()).isEqualTo("signal: killed");
      }
      assertThat(agent.said()).contains("the keeper was gone");
    }
  }

  @Test
  void withoutTheRightToFetchDescriptorsPipesGoOnAndATerminalIsSaidToBeLost() {
    assumeTrue(
        Shell.run("id", "-u").stdout().strip().equals("0"), "only root can have fewer rights");
    try (RestartedAgent agent = new RestartedAgent().start()) {
      int cat;
      try (Follower start = agent.processes().start(Command.of("cat").stdin())) {
        cat = start.pid();
      }
      int shell;
      try (Follower start = agent.processes().start(Command.of("/bin/sh").pty(80, 24))) {
        shell = start.pid();
      }
      await().until(() -> agent.keeperPid() != 0);
      long keeper = agent.keeperPid();
      agent.kill();
      agent.via("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace").start();
      try (Follower out = agent.processes().connect(cat)) {
        assertThat(out.pid()).isEqualTo(cat);
        agent.processes().sendStdin(cat, "by path\n");
        out.await("stdout", "by path\n");
        agent.processes().closeStdin(cat);
        assertThat(out.end().exited()).isTrue();
      }
      try (Follower out = agent.processes().connect(shell)) {
        assertThat(out.end().status()).isEqualTo("signal: hangup");
      }
      assertThat(agent.said()).contains("lost: its terminal: what the keeper");
      await("the earlier keeper").until(() -> !ProcFs.runs(keeper));
      assertThat(ProcFs.runs(agent.keeperPid())).isTrue();
    }
  }
}

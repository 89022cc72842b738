package dev.sandpiper.agent.service;

import com.google.protobuf.ByteString;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.posix.Signals;
import dev.sandpiper.agent.process.EndCause;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessEnd;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.proto.v1.Output;
import dev.sandpiper.proto.v1.RunResponse;
import io.grpc.Status;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One `Run` call. A caller who goes away before the end takes the command and its tree along: nobody else knows of it.
final class Run implements Cancellable {
  private static final Logger LOG = LoggerFactory.getLogger("process");

  private final ProcessManager processes;
  private final RunMemory memory;
  private final Reply<RunResponse> reply;
  private final int limit;
  private final Map<StreamName, HeadTail> outputs = new EnumMap<>(StreamName.class);
  private volatile @Nullable ManagedProcess process;
  private volatile boolean cancelled;
  private volatile boolean ended;

  Run(ProcessManager processes, RunMemory memory, Reply<RunResponse> reply, int limit) {
    this.processes = processes;
    this.memory = memory;
    this.reply = reply;
    this.limit = limit;
  }

  /// On the thread that spawned.
  void begin(ManagedProcess started, ByteString input) {
    for (StreamName stream : started.log().streams()) {
      outputs.put(stream, new HeadTail(started.log(), stream, limit, memory.heads()));
    }
    process = started;
    if (!input.isEmpty()) {
      started.write(input.toByteArray(), _ -> {}); // what it does not read is its own affair
      started.closeInput();
    }
    started.whenEnded(() -> {
      ended = true;
      Thread.startVirtualThread(() -> finish(started));
    });
    if (cancelled) {
      kill(started);
    }
  }

  @Override
  public void cancel() {
    cancelled = true;
    ManagedProcess running = process;
    if (running != null) {
      kill(running);
    }
  }

  private void kill(ManagedProcess running) {
    if (!ended) {
      Thread.startVirtualThread(() -> killTree(running));
    }
  }

  private void killTree(ManagedProcess of) {
    try {
      processes.signalTree(of, Signals.SIGKILL);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException failure) {
      LOG.error("the tree of process {} was not killed", of.processId(), failure);
    }
  }

  private void finish(ManagedProcess of) {
    ProcessEnd end = of.end();
    if (end == null) {
      reply.fail(Status.INTERNAL.withDescription("process " + of.processId() + " has no end"));
      return;
    }
    if (end.cause() == EndCause.TIME_LIMIT) {
      killTree(of);
    }
    long bytes = 0;
    for (StreamName stream : outputs.keySet()) {
      bytes += Math.min(end.bytes(stream), limit);
    }
    int share = memory.await(bytes);
    try {
      RunResponse.Builder response =
          RunResponse.newBuilder().setId(of.processId()).setEnd(ProcessInfos.end(end));
      if (!cancelled) {
        outputs.forEach((stream, output) -> add(response, stream, output.take(end.bytes(stream))));
        reply.ok(response.build());
      }
    } catch (RuntimeException failure) {
      LOG.error("the output of process {} cannot be read", of.processId(), failure);
      reply.fail(Status.INTERNAL.withDescription("the output cannot be read: " + failure));
    } finally {
      outputs.values().forEach(HeadTail::close);
      memory.giveBack(share); // it is on its way to the caller
    }
  }

  private static void add(RunResponse.Builder response, StreamName stream, Output output) {
    switch (stream) {
      case STDOUT -> response.setStdout(output);
      case STDERR -> response.setStderr(output);
      case PTY -> response.setTerminal(output);
    }
  }
}

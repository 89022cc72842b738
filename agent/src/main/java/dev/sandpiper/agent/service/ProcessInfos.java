package dev.sandpiper.agent.service;

import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.StreamName;
import dev.sandpiper.agent.process.EndCause;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessEnd;
import dev.sandpiper.proto.v1.Cause;
import dev.sandpiper.proto.v1.End;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.proto.v1.State;
import dev.sandpiper.proto.v1.StreamInfo;
import dev.sandpiper.proto.v1.Usage;
import java.time.Duration;
import java.time.Instant;

/// Processes and their ends as `sandpiper.v1` tells them.
final class ProcessInfos {
  private ProcessInfos() {}

  static ProcessInfo of(ManagedProcess process) {
    // The state first: an end that comes in between is then only missing.
    State state = state(process);
    OutputLog log = process.log();
    ProcessInfo.Builder info =
        ProcessInfo.newBuilder()
            .setId(process.processId())
            .setPid(process.pid())
            .setCmd(process.cmd())
            .addAllArgs(process.args())
            .setCwd(process.cwd())
            .setUser(process.userName())
            .setTag(process.tag().orElse(""))
            .setKey(process.key().orElse(""))
            .setState(state)
            .setStartedAtUs(micros(process.startedAt()))
            .setTimeLimitMs(process.timeLimit().map(Duration::toMillis).orElse(0L))
            .setTerminal(process.terminal())
            .setAcceptsInput(process.acceptsInput())
            .setInputOffset(process.inputOffset())
            .putAllFacts(process.facts());
    for (StreamName stream : log.streams()) {
      info.addStreams(
          StreamInfo.newBuilder()
              .setStream(WireStreams.of(stream))
              .setStartOffset(log.startOffset(stream))
              .setEndOffset(log.endOffset(stream)));
    }
    ProcessEnd end = process.end();
    if (state == State.STATE_ENDED && end != null) {
      info.setEnd(end(end));
    }
    return info.build();
  }

  static State state(ManagedProcess process) {
    return switch (process.state()) {
      case RUNNING -> State.STATE_RUNNING;
      case EXITED -> State.STATE_EXITED;
      case ENDED -> State.STATE_ENDED;
    };
  }

  static End end(ProcessEnd end) {
    End.Builder message =
        End.newBuilder().setCause(cause(end.cause())).setEndedAtUs(micros(end.at()));
    switch (end.exit()) {
      case Exit.Exited(int code) -> message.setExitCode(code);
      case Exit.Signaled(int signal, boolean coreDumped) ->
          message.setSignal(signal).setCoreDumped(coreDumped);
      case Exit.Lost(String why) -> message.setLost(why);
    }
    var usage = end.usage();
    if (usage != null) {
      message.setUsage(
          Usage.newBuilder()
              .setUserCpuUs(usage.userMicros())
              .setSystemCpuUs(usage.systemMicros())
              .setPeakMemoryBytes(usage.peakKib() * 1024));
    }
    return message.build();
  }

  private static Cause cause(EndCause cause) {
    return switch (cause) {
      case EXIT -> Cause.CAUSE_EXIT;
      case SIGNAL -> Cause.CAUSE_SIGNAL;
      case TIME_LIMIT -> Cause.CAUSE_TIME_LIMIT;
      case AGENT_STOP -> Cause.CAUSE_AGENT_STOP;
      case LOST -> Cause.CAUSE_LOST;
    };
  }

  static long micros(Instant instant) {
    return instant.getEpochSecond() * 1_000_000 + instant.getNano() / 1_000;
  }
}

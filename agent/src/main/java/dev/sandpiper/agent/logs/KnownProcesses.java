package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessEnd;
import dev.sandpiper.agent.process.ProcessManager;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The processes of the manager, with messages and fields as their records have them.
final class KnownProcesses implements LoggedProcesses {
  private final ProcessManager processes;
  private final ProcessNews news;
  private final boolean arguments;

  /// @param arguments whether starts show the arguments of commands, which may be secrets
  KnownProcesses(ProcessManager processes, ProcessNews news, boolean arguments) {
    this.processes = processes;
    this.news = news;
    this.arguments = arguments;
  }

  @Override
  public List<LoggedProcess> all() {
    List<LoggedProcess> all = new ArrayList<>();
    for (ManagedProcess process : processes.all()) {
      all.add(new Known(process, arguments));
    }
    return all;
  }

  @Override
  public @Nullable LoggedProcess get(String processId) {
    return processes.get(processId).map(process -> new Known(process, arguments)).orElse(null);
  }

  @Override
  public Runnable watch(Consumer<LoggedProcess> started) {
    return news.add(process -> started.accept(new Known(process, arguments)));
  }

  private static long micros(Instant instant) {
    return ChronoUnit.MICROS.between(Instant.EPOCH, instant);
  }

  static final class Known implements LoggedProcess {
    private final ManagedProcess process;
    private final boolean arguments;
    private final long startedMicros;
    private volatile @Nullable Ended ended;

    Known(ManagedProcess process, boolean arguments) {
      this.process = process;
      this.arguments = arguments;
      this.startedMicros = micros(process.startedAt());
    }

    @Override
    public String processId() {
      return process.processId();
    }

    @Override
    public int pid() {
      return process.pid();
    }

    @Override
    public @Nullable String tag() {
      return process.tag().orElse(null);
    }

    @Override
    public long startedMicros() {
      return startedMicros;
    }

    @Override
    public Map<String, String> startFields() {
      Map<String, String> fields = new LinkedHashMap<>();
      fields.put("command", arguments ? process.commandLine() : process.cmd());
      fields.put("user", process.userName());
      process
          .timeLimit()
          .ifPresent(limit -> fields.put("request_timeout_ms", Long.toString(limit.toMillis())));
      return fields;
    }

    @Override
    public OutputLog log() {
      return process.log();
    }

    @Override
    public @Nullable Ended ended() {
      Ended known = ended;
      ProcessEnd end = process.end();
      if (known == null && end != null) {
        known = new Ended(micros(end.at()), end.stdoutBytes(), end.stderrBytes(), end.ptyBytes());
        ended = known; // Asked for often, for thousands of processes.
      }
      return known;
    }

    @Override
    public Map<String, String> endFields() {
      ProcessEnd end = process.end();
      if (end == null) {
        return Map.of();
      }
      Map<String, String> fields = new LinkedHashMap<>();
      fields.put("exit_code", Integer.toString(end.exitCode()));
      fields.put("exited", Boolean.toString(end.exited()));
      fields.put("status", end.status());
      if (!end.success()) {
        fields.put("error", end.status());
      }
      fields.put("stdout_bytes", Long.toString(end.stdoutBytes()));
      fields.put("stderr_bytes", Long.toString(end.stderrBytes()));
      fields.put("pty_bytes", Long.toString(end.ptyBytes()));
      return fields;
    }
  }
}

package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.process.EndCause;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessEnd;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Processes as the process manager's JSON.
///
///     {"id":"p06f…","command":"make","args":["-j4"],"status":"stopped","exitCode":0,"logPaths":{…},
///      "startedAt":1763725712,"stoppedAt":1763725719,"cwd":"/home/user","pid":4711,"cause":"exit"}
final class ProcessJson {
  private static final int SIGKILL = 9;

  private ProcessJson() {}

  /// Appends what is told of a process. `exitCode` is there when its leader returned one, `signal` when a signal ended it.
  static void append(StringBuilder json, ManagedProcess process) {
    ProcessEnd end = process.end();
    json.append("{\"id\":");
    JsonText.string(json, process.processId());
    json.append(",\"command\":");
    JsonText.string(json, process.cmd());
    json.append(",\"args\":[");
    for (int i = 0; i < process.args().size(); i++) {
      json.append(i == 0 ? "" : ",");
      JsonText.string(json, process.args().get(i));
    }
    json.append("],\"status\":\"").append(status(end)).append('"');
    if (end != null && end.exit() instanceof Exit.Exited(int code)) {
      json.append(",\"exitCode\":").append(code);
    }
    appendPaths(json.append(",\"logPaths\":"), process);
    json.append(",\"startedAt\":").append(process.startedAt().getEpochSecond());
    if (end != null) {
      json.append(",\"stoppedAt\":").append(end.at().getEpochSecond());
    }
    json.append(",\"cwd\":");
    JsonText.string(json, process.cwd());
    json.append(",\"pid\":").append(process.pid());
    process.tag().ifPresent(tag -> JsonText.string(json.append(",\"tag\":"), tag));
    if (end != null) {
      json.append(",\"cause\":\"").append(end.cause().name().toLowerCase(Locale.ROOT)).append('"');
      if (end.exit() instanceof Exit.Signaled(int signal, boolean _)) {
        json.append(",\"signal\":").append(signal);
      }
    }
    json.append('}');
  }

  /// The answer to a start.
  static String started(ManagedProcess process) {
    StringBuilder json = new StringBuilder("{\"id\":");
    JsonText.string(json, process.processId());
    json.append(",\"status\":\"").append(status(process.end())).append("\",\"logPaths\":");
    appendPaths(json, process);
    return json.append("}\n").toString();
  }

  /// Paths of this server: the files are made when somebody asks for them.
  private static void appendPaths(StringBuilder json, ManagedProcess process) {
    String files = "/v1/process/" + process.processId() + "/files/";
    json.append("{\"stdout\":\"").append(files).append("stdout.log");
    json.append("\",\"stderr\":\"").append(files).append("stderr.log");
    json.append("\",\"combined\":\"").append(files).append("combined.log\"}");
  }

  /// `running` until the end is known with every byte before it, `killed` when one who could order it ordered it, and
  /// `stopped` in all other cases.
  private static String status(@Nullable ProcessEnd end) {
    if (end == null) {
      return "running";
    }
    boolean ordered =
        end.cause() == EndCause.SIGNAL
            || end.cause() == EndCause.TIME_LIMIT
            || end.cause() == EndCause.AGENT_STOP;
    return ordered
            && end.exit() instanceof Exit.Signaled(int signal, boolean _)
            && signal == SIGKILL
        ? "killed"
        : "stopped";
  }
}

package dev.sandpiper.agent;

import dev.sandpiper.agent.cli.Program;
import dev.sandpiper.agent.logs.AgentLog;
import dev.sandpiper.agent.logs.SandboxLogs;
import dev.sandpiper.agent.output.PipeLoop;
import dev.sandpiper.agent.output.epoll.EpollPipeLoop;
import dev.sandpiper.agent.process.Archive;
import dev.sandpiper.agent.service.LogCopy;
import dev.sandpiper.proto.v1.LogQuery;
import dev.sandpiper.proto.v1.LogResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.function.Consumer;

/// The logs in the state directory of an agent that is gone, for `sandpiper logs --state-dir`.
final class LeftLogs implements Program.LeftLogs {
  @Override
  public void query(Path stateDirectory, LogQuery query, Consumer<LogResponse> to)
      throws IOException {
    AgentLog agentLog = new AgentLog(_ -> {});
    Path lines = stateDirectory.resolve("agent-log");
    try (PipeLoop loop = new EpollPipeLoop();
        Archive archive = Archive.open(stateDirectory, loop);
        agentLog) {
      if (Files.isDirectory(lines)) {
        agentLog.open(lines);
      }
      try (SandboxLogs logs = SandboxLogs.of(archive, agentLog, InstantSource.system())) {
        LogCopy.copy(logs, named(archive, query), to);
      }
    }
  }

  /// A query names its process by what was typed, in the place of the id: an id, else a pid, else a tag.
  private static LogQuery named(Archive archive, LogQuery query) {
    String name = query.getId();
    if (name.isEmpty() || archive.get(name).isPresent()) {
      return query;
    }
    boolean pid =
        archive.all().stream()
            .anyMatch(process -> Integer.toUnsignedString(process.pid()).equals(name));
    LogQuery.Builder named = query.toBuilder().clearId();
    return (pid ? named.setPid(Integer.parseUnsignedInt(name)) : named.setTag(name)).build();
  }
}

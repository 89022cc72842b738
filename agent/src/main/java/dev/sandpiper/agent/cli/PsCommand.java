package dev.sandpiper.agent.cli;

import dev.sandpiper.proto.v1.ListRequest;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.proto.v1.State;
import dev.sandpiper.proto.v1.StreamInfo;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/// `sandpiper ps`: the processes of an agent, a line each.
///
/// @param all whether finished ones too
/// @param tag only those with this one; empty for any
/// @param json one JSON object per line instead of a table
record PsCommand(AgentOptions agent, boolean all, String tag, boolean json)
    implements ClientCommand {
  private static final int SHOWN_COMMAND = 120;

  @Override
  public int run(Screen screen) throws IOException, ApiException {
    var request = ListRequest.newBuilder().setTag(tag);
    if (!all) {
      request.addAllStates(List.of(State.STATE_RUNNING, State.STATE_EXITED));
    }
    List<ProcessInfo> processes;
    try (var client = new NativeClient(agent)) {
      processes = client.list(request.build());
    }
    if (json) {
      for (var process : processes) {
        screen.line(json(process));
      }
      return ExitCode.OK;
    }
    var table = new Table().row("ID", "PID", "STATE", "STARTED", "USER", "TAG", "COMMAND");
    for (var process : processes) {
      table.row(
          process.getId(),
          Integer.toUnsignedString(process.getPid()),
          process.hasEnd() ? Ends.words(process.getEnd()) : state(process),
          time(process.getStartedAtUs()).truncatedTo(ChronoUnit.SECONDS).toString(),
          process.getUser(),
          printable(process.getTag()),
          command(process));
    }
    for (var line : table.lines()) {
      screen.line(line);
    }
    return ExitCode.OK;
  }

  static String json(ProcessInfo process) {
    var line =
        new JsonLine()
            .with("id", process.getId())
            .with("pid", process.getPid())
            .with("state", state(process))
            .with("cmd", process.getCmd())
            .with("args", process.getArgsList())
            .with("cwd", process.getCwd())
            .with("user", process.getUser())
            .with("tag", process.getTag())
            .with("key", process.getKey())
            .with("terminal", process.getTerminal())
            .with("started_at", time(process.getStartedAtUs()).toString());
    for (StreamInfo stream : process.getStreamsList()) {
      line.with(name(stream) + "_bytes", stream.getEndOffset());
    }
    if (process.hasEnd()) {
      var end = process.getEnd();
      switch (end.getHowCase()) {
        case EXIT_CODE -> line.with("exit_code", end.getExitCode());
        case SIGNAL -> line.with("signal", SignalNumbers.name(end.getSignal()));
        case LOST -> line.with("lost", end.getLost());
        case HOW_NOT_SET -> {}
      }
      line.with("cause", lower(end.getCause().name(), "CAUSE_"));
      line.with("ended_at", time(end.getEndedAtUs()).toString());
    }
    return line.toString();
  }

  private static String state(ProcessInfo process) {
    return lower(process.getState().name(), "STATE_");
  }

  private static String name(StreamInfo stream) {
    return lower(stream.getStream().name(), "STREAM_");
  }

  private static String lower(String name, String prefix) {
    return name.substring(name.startsWith(prefix) ? prefix.length() : 0).toLowerCase(Locale.ROOT);
  }

  static Instant time(long micros) {
    return Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
  }

  private static String command(ProcessInfo process) {
    var words =
        process.getCmd()
            + process.getArgsList().stream().map(word -> " " + word).collect(Collectors.joining());
    var shown = printable(words);
    return shown.length() <= SHOWN_COMMAND ? shown : shown.substring(0, SHOWN_COMMAND - 1) + "…";
  }

  /// Control characters, which belong to nobody's terminal, as spaces.
  static String printable(String text) {
    return text.codePoints()
        .map(character -> Character.isISOControl(character) ? ' ' : character)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }
}

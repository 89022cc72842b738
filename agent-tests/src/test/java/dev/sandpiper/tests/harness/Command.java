package dev.sandpiper.tests.harness;

import dev.sandpiper.proto.process.PTY;
import dev.sandpiper.proto.process.ProcessConfig;
import dev.sandpiper.proto.process.StartRequest;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// What a Start asks for: the message and the headers that go with it. Without standard input unless asked.
public final class Command {
  private final ProcessConfig.Builder config;
  private final StartRequest.Builder request = StartRequest.newBuilder().setStdin(false);
  private final Map<String, String> headers = new LinkedHashMap<>();

  private Command(String cmd, List<String> args) {
    config = ProcessConfig.newBuilder().setCmd(cmd).addAllArgs(args);
  }

  public static Command of(String cmd, String... args) {
    return new Command(cmd, List.of(args));
  }

  public static Command sh(String script) {
    return of("/bin/sh", "-c", script);
  }

  /// A script with an argument, its `$0`.
  public static Command sh(String script, Object argument) {
    return of("/bin/sh", "-c", script, argument.toString());
  }

  public static Command python(String program) {
    return of("python3", "-c", program);
  }

  public Command stdin() {
    request.setStdin(true);
    return this;
  }

  public Command tag(String tag) {
    request.setTag(tag);
    return this;
  }

  public Command env(String name, String value) {
    config.putEnvs(name, value);
    return this;
  }

  public Command cwd(Object cwd) {
    config.setCwd(cwd.toString());
    return this;
  }

  public Command pty(int columns, int rows) {
    request.setPty(PTY.newBuilder().setSize(PTY.Size.newBuilder().setCols(columns).setRows(rows)));
    return this;
  }

  public Command ptyWithoutSize() {
    request.setPty(PTY.getDefaultInstance());
    return this;
  }

  public Command as(String user) {
    return header(
        "Authorization",
        "Basic "
            + Base64.getEncoder().encodeToString((user + ":").getBytes(StandardCharsets.UTF_8)));
  }

  public Command header(String name, String value) {
    headers.put(name, value);
    return this;
  }

  public Command timeLimitMillis(long millis) {
    return header("Connect-Timeout-Ms", Long.toString(millis));
  }

  public StartRequest request() {
    return request.setProcess(config).build();
  }

  public Map<String, String> headers() {
    return Map.copyOf(headers);
  }
}

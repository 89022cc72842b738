package dev.sandpiper.agent.cli;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.sandpiper.proto.process.CloseStdinRequest;
import dev.sandpiper.proto.process.CloseStdinResponse;
import dev.sandpiper.proto.process.PTY;
import dev.sandpiper.proto.process.ProcessEvent;
import dev.sandpiper.proto.process.ProcessInput;
import dev.sandpiper.proto.process.ProcessSelector;
import dev.sandpiper.proto.process.SendInputRequest;
import dev.sandpiper.proto.process.SendInputResponse;
import dev.sandpiper.proto.process.SendSignalRequest;
import dev.sandpiper.proto.process.SendSignalResponse;
import dev.sandpiper.proto.process.StartRequest;
import dev.sandpiper.proto.process.StartResponse;
import dev.sandpiper.proto.process.UpdateRequest;
import dev.sandpiper.proto.process.UpdateResponse;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/// The calls of `process.Process` that `run` needs, as [AgentClient] makes them.
final class ProcessClient implements Closeable {
  private static final String SERVICE = "/process.Process/";

  // An event comes at least this often, else the agent or the way to it is gone.
  private static final int KEEPALIVE_SECONDS = 20;
  private static final Duration STREAM_SILENCE = Duration.ofSeconds(4 * KEEPALIVE_SECONDS);

  private final AgentClient client;

  /// `token` is shown by every call; absent where the agent asks for none.
  ProcessClient(AgentUrl url, Optional<String> token) {
    this.client = new AgentClient(url, token);
  }

  /// Starts a process. `user` and `timeLimit` are the agent's defaults when absent.
  Events start(StartRequest request, Optional<String> user, Optional<Duration> timeLimit)
      throws IOException {
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("Keepalive-Ping-Interval", Integer.toString(KEEPALIVE_SECONDS));
    user.ifPresent(name -> headers.put("Authorization", "Basic " + base64(name + ":")));
    timeLimit.ifPresent(
        limit -> headers.put("Connect-Timeout-Ms", Long.toString(limit.toMillis())));
    return new Events(
        client.stream(SERVICE + "Start", request, StartResponse.parser(), headers, STREAM_SILENCE));
  }

  /// Answered when the process has taken the input, which may be never.
  void sendInput(int pid, boolean terminal, byte[] bytes, int length)
      throws IOException, ApiException {
    var copy = ByteString.copyFrom(bytes, 0, length);
    var input = ProcessInput.newBuilder();
    call(
        "SendInput",
        AgentClient.FOR_EVER,
        SendInputRequest.newBuilder()
            .setProcess(selector(pid))
            .setInput(terminal ? input.setPty(copy) : input.setStdin(copy))
            .build(),
        SendInputResponse.parser());
  }

  void closeStdin(int pid) throws IOException, ApiException {
    call(
        "CloseStdin",
        AgentClient.UNARY_TIMEOUT,
        CloseStdinRequest.newBuilder().setProcess(selector(pid)).build(),
        CloseStdinResponse.parser());
  }

  void resize(int pid, Terminal.Size size) throws IOException, ApiException {
    call(
        "Update",
        AgentClient.UNARY_TIMEOUT,
        UpdateRequest.newBuilder()
            .setProcess(selector(pid))
            .setPty(PTY.newBuilder().setSize(size(size)))
            .build(),
        UpdateResponse.parser());
  }

  static PTY.Size size(Terminal.Size size) {
    return PTY.Size.newBuilder().setCols(size.columns()).setRows(size.rows()).build();
  }

  /// `signal` is the kernel's number; an agent may know SIGTERM and SIGKILL only (then: `unimplemented`).
  void sendSignal(int pid, int signal) throws IOException, ApiException {
    call(
        "SendSignal",
        AgentClient.UNARY_TIMEOUT,
        SendSignalRequest.newBuilder().setProcess(selector(pid)).setSignalValue(signal).build(),
        SendSignalResponse.parser());
  }

  private static ProcessSelector selector(int pid) {
    return ProcessSelector.newBuilder().setPid(pid).build();
  }

  private <T> void call(String method, Duration silence, MessageLite request, Parser<T> parser)
      throws IOException, ApiException {
    client.call(SERVICE + method, request, parser, silence);
  }

  private static String base64(String text) {
    return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public void close() throws IOException {
    client.close();
  }

  /// What one call of Start answers, event by event. Not thread-safe.
  static final class Events implements Closeable {
    private final AgentClient.Answers<StartResponse> answers;

    private Events(AgentClient.Answers<StartResponse> answers) {
      this.answers = answers;
    }

    /// The next event, or empty when the agent ended the call without an error.
    Optional<ProcessEvent> next() throws IOException, ApiException {
      return answers.next().map(StartResponse::getEvent);
    }

    @Override
    public void close() throws IOException {
      answers.close();
    }
  }
}

package dev.sandpiper.tests.harness;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.CloseStdinRequest;
import dev.sandpiper.proto.process.ConnectRequest;
import dev.sandpiper.proto.process.ConnectResponse;
import dev.sandpiper.proto.process.ListRequest;
import dev.sandpiper.proto.process.PTY;
import dev.sandpiper.proto.process.ProcessGrpc;
import dev.sandpiper.proto.process.ProcessInfo;
import dev.sandpiper.proto.process.ProcessInput;
import dev.sandpiper.proto.process.ProcessSelector;
import dev.sandpiper.proto.process.SendInputRequest;
import dev.sandpiper.proto.process.SendSignalRequest;
import dev.sandpiper.proto.process.Signal;
import dev.sandpiper.proto.process.StartResponse;
import dev.sandpiper.proto.process.StreamInputRequest;
import dev.sandpiper.proto.process.StreamInputResponse;
import dev.sandpiper.proto.process.UpdateRequest;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The process service over one wire format, in the words of the tests.
public record Processes(RpcClient rpc) implements AutoCloseable {
  public Follower start(Command command) {
    return new Follower(
        rpc.serverStream(ProcessGrpc.getStartMethod(), command.request(), command.headers()),
        StartResponse::getEvent);
  }

  /// Starts and reads to the end.
  public Follower run(Command command) {
    try (Follower follower = start(command)) {
      follower.end();
      return follower;
    }
  }

  public Follower connect(ProcessSelector process) {
    return connect(process, Map.of());
  }

  public Follower connect(ProcessSelector process, Map<String, String> headers) {
    return new Follower(
        rpc.serverStream(
            ProcessGrpc.getConnectMethod(),
            ConnectRequest.newBuilder().setProcess(process).build(),
            headers),
        ConnectResponse::getEvent);
  }

  public Follower connect(int pid) {
    return connect(pid(pid));
  }

  public List<ProcessInfo> list() {
    return rpc.unary(ProcessGrpc.getListMethod(), ListRequest.getDefaultInstance(), Map.of())
        .getProcessesList();
  }

  public Optional<ProcessInfo> listed(int pid) {
    return list().stream().filter(info -> info.getPid() == pid).findFirst();
  }

  public void sendInput(ProcessSelector process, ProcessInput input) {
    rpc.unary(
        ProcessGrpc.getSendInputMethod(),
        SendInputRequest.newBuilder().setProcess(process).setInput(input).build(),
        Map.of());
  }

  public void sendStdin(int pid, String text) {
    sendInput(pid(pid), stdin(text));
  }

  public void sendPty(int pid, String text) {
    sendInput(pid(pid), ProcessInput.newBuilder().setPty(utf8(text)).build());
  }

  public void closeStdin(int pid) {
    rpc.unary(
        ProcessGrpc.getCloseStdinMethod(),
        CloseStdinRequest.newBuilder().setProcess(pid(pid)).build(),
        Map.of());
  }

  public void signal(ProcessSelector process, Signal signal) {
    rpc.unary(
        ProcessGrpc.getSendSignalMethod(),
        SendSignalRequest.newBuilder().setProcess(process).setSignal(signal).build(),
        Map.of());
  }

  public void kill(int pid) {
    signal(pid(pid), Signal.SIGNAL_SIGKILL);
  }

  public void terminate(int pid) {
    signal(pid(pid), Signal.SIGNAL_SIGTERM);
  }

  public void resize(int pid, int columns, int rows) {
    update(
        UpdateRequest.newBuilder()
            .setProcess(pid(pid))
            .setPty(PTY.newBuilder().setSize(PTY.Size.newBuilder().setCols(columns).setRows(rows)))
            .build());
  }

  public void update(UpdateRequest request) {
    rpc.unary(ProcessGrpc.getUpdateMethod(), request, Map.of());
  }

  public void streamInput(List<StreamInputRequest> requests) {
    rpc.clientStream(ProcessGrpc.getStreamInputMethod(), requests, Map.of());
  }

  /// Begins a StreamInput call.
  public RpcCall<StreamInputRequest, StreamInputResponse> openInput() {
    return rpc.open(ProcessGrpc.getStreamInputMethod(), Map.of());
  }

  public static StreamInputRequest inputFor(ProcessSelector process) {
    return StreamInputRequest.newBuilder()
        .setStart(StreamInputRequest.StartEvent.newBuilder().setProcess(process))
        .build();
  }

  public static StreamInputRequest input(String text) {
    return input(utf8(text));
  }

  public static StreamInputRequest input(ByteString bytes) {
    return StreamInputRequest.newBuilder()
        .setData(
            StreamInputRequest.DataEvent.newBuilder()
                .setInput(ProcessInput.newBuilder().setStdin(bytes)))
        .build();
  }

  public static ProcessInput stdin(String text) {
    return ProcessInput.newBuilder().setStdin(utf8(text)).build();
  }

  public static ProcessSelector pid(int pid) {
    return ProcessSelector.newBuilder().setPid(pid).build();
  }

  public static ProcessSelector tag(String tag) {
    return ProcessSelector.newBuilder().setTag(tag).build();
  }

  /// Ends what the calls of this client share; those of the agent's own clients share nothing, or the agent's channel.
  @Override
  public void close() {
    rpc.close();
  }

  private static ByteString utf8(String text) {
    return ByteString.copyFrom(text, StandardCharsets.UTF_8);
  }
}

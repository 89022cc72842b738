package dev.sandpiper.tests.harness;

import dev.sandpiper.proto.v1.Command;
import dev.sandpiper.proto.v1.DeleteRequest;
import dev.sandpiper.proto.v1.GetRequest;
import dev.sandpiper.proto.v1.ListRequest;
import dev.sandpiper.proto.v1.ListResponse;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.proto.v1.ProcessRef;
import dev.sandpiper.proto.v1.ProcessesGrpc;
import dev.sandpiper.proto.v1.ReadRequest;
import dev.sandpiper.proto.v1.ReadResponse;
import dev.sandpiper.proto.v1.RunRequest;
import dev.sandpiper.proto.v1.RunResponse;
import dev.sandpiper.proto.v1.Scope;
import dev.sandpiper.proto.v1.SignalRequest;
import dev.sandpiper.proto.v1.SignalResponse;
import dev.sandpiper.proto.v1.StartRequest;
import dev.sandpiper.proto.v1.StartResponse;
import dev.sandpiper.proto.v1.StopRequest;
import dev.sandpiper.proto.v1.StopResponse;
import dev.sandpiper.proto.v1.WaitRequest;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeoutException;

/// `sandpiper.v1.Processes` through one wire format.
public final class Native {
  private final RpcClient client;

  public Native(RpcClient client) {
    this.client = client;
  }

  public RpcClient client() {
    return client;
  }

  public static Command.Builder shell(String script) {
    return Command.newBuilder().setCmd("/bin/sh").addAllArgs(List.of("-c", script));
  }

  public static ProcessRef id(String id) {
    return ProcessRef.newBuilder().setId(id).build();
  }

  public ProcessInfo start(String script) {
    return start(shell(script), "").getProcess();
  }

  public StartResponse start(Command.Builder command, String key) {
    return client.unary(
        ProcessesGrpc.getStartMethod(),
        StartRequest.newBuilder().setCommand(command).setKey(key).build(),
        Map.of());
  }

  public ProcessInfo get(String id) {
    return client
        .unary(
            ProcessesGrpc.getGetMethod(),
            GetRequest.newBuilder().setProcess(id(id)).build(),
            Map.of())
        .getProcess();
  }

  public ListResponse list(ListRequest request) {
    return client.unary(ProcessesGrpc.getListMethod(), request, Map.of());
  }

  public SignalResponse signal(String id, int signal, Scope scope) {
    return signal(id, signal, scope, "");
  }

  public SignalResponse signal(String id, int signal, Scope scope, String key) {
    return client.unary(
        ProcessesGrpc.getSignalMethod(),
        SignalRequest.newBuilder()
            .setProcess(id(id))
            .setSignal(signal)
            .setScope(scope)
            .setKey(key)
            .build(),
        Map.of());
  }

  /// Everything that is printed up to the end.
  public String read(String id) {
    StringBuilder text = new StringBuilder();
    try (MessageStream<ReadResponse> stream =
        client.serverStream(
            ProcessesGrpc.getReadMethod(),
            ReadRequest.newBuilder().setProcess(id(id)).setStart(true).setLive(true).build(),
            Map.of())) {
      ReadResponse message = stream.next(Deadline.PATIENCE);
      while (message != null) {
        text.append(message.getData().getBytes().toStringUtf8());
        message = stream.next(Deadline.PATIENCE);
      }
    } catch (TimeoutException e) {
      throw new AssertionError("no end of " + id, e);
    }
    return text.toString();
  }

  public StopResponse stop(StopRequest.Builder request) {
    return client.unary(ProcessesGrpc.getStopMethod(), request.build(), Map.of());
  }

  public void delete(String id) {
    client.unary(
        ProcessesGrpc.getDeleteMethod(),
        DeleteRequest.newBuilder().setProcess(id(id)).build(),
        Map.of());
  }

  /// Waits for the end.
  public ProcessInfo await(String id) {
    return await(id, 0);
  }

  public ProcessInfo await(String id, long timeoutMillis) {
    return client
        .unary(
            ProcessesGrpc.getWaitMethod(),
            WaitRequest.newBuilder().setProcess(id(id)).setTimeoutMs(timeoutMillis).build(),
            Map.of())
        .getProcess();
  }

  public RunResponse run(RunRequest.Builder request) {
    return client.unary(ProcessesGrpc.getRunMethod(), request.build(), Map.of());
  }
}

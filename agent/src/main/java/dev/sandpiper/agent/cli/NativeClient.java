package dev.sandpiper.agent.cli;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.sandpiper.proto.v1.GetRequest;
import dev.sandpiper.proto.v1.GetResponse;
import dev.sandpiper.proto.v1.ListRequest;
import dev.sandpiper.proto.v1.ListResponse;
import dev.sandpiper.proto.v1.LogQuery;
import dev.sandpiper.proto.v1.LogResponse;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.proto.v1.ProcessRef;
import dev.sandpiper.proto.v1.ReadRequest;
import dev.sandpiper.proto.v1.ReadResponse;
import dev.sandpiper.proto.v1.ResizeRequest;
import dev.sandpiper.proto.v1.ResizeResponse;
import dev.sandpiper.proto.v1.SignalRequest;
import dev.sandpiper.proto.v1.SignalResponse;
import dev.sandpiper.proto.v1.StartRequest;
import dev.sandpiper.proto.v1.StartResponse;
import dev.sandpiper.proto.v1.StopRequest;
import dev.sandpiper.proto.v1.StopResponse;
import dev.sandpiper.proto.v1.TerminalSize;
import dev.sandpiper.proto.v1.WaitRequest;
import dev.sandpiper.proto.v1.WaitResponse;
import dev.sandpiper.proto.v1.WriteRequest;
import dev.sandpiper.proto.v1.WriteResponse;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// The calls of `sandpiper.v1`, as [AgentClient] makes them.
final class NativeClient implements Closeable {
  private static final String PROCESSES = "/sandpiper.v1.Processes/";
  private static final String LOGS = "/sandpiper.v1.Logs/";

  /// As the agent makes them.
  private static final Pattern ID = Pattern.compile("p[0-9a-z]{18}");

  private static final Pattern PID = Pattern.compile("[1-9][0-9]{0,9}");

  // Heartbeats come more often, else the agent or the way to it is gone.
  private static final int HEARTBEAT_MILLIS = 15_000;
  private static final Duration STREAM_SILENCE = Duration.ofMillis(4L * HEARTBEAT_MILLIS);

  private final AgentClient client;

  NativeClient(AgentOptions agent) {
    this.client = new AgentClient(agent.url(), agent.token());
  }

  AgentUrl url() {
    return client.url();
  }

  StartResponse start(StartRequest request) throws IOException, ApiException {
    return call("Start", request, StartResponse.parser(), AgentClient.UNARY_TIMEOUT);
  }

  /// The process that `name` means: an id; else a pid or a tag, of a process that runs or, where none does, of the one
  /// that was started last.
  ///
  /// @throws ApiException `not_found` when there is none
  ProcessInfo find(String name) throws IOException, ApiException {
    if (ID.matcher(name).matches()) {
      try {
        return get(ProcessRef.newBuilder().setId(name).build());
      } catch (ApiException e) {
        notFoundOnly(e); // a tag may look like an id
      }
    }
    boolean number = PID.matcher(name).matches() && Long.parseLong(name) <= Integer.MAX_VALUE;
    if (number) {
      try {
        return get(ProcessRef.newBuilder().setPid(Integer.parseInt(name)).build());
      } catch (ApiException e) {
        notFoundOnly(e);
      }
    }
    var newest = ProcessInfo.getDefaultInstance();
    for (var process : list(ListRequest.newBuilder().setTag(name).build())) {
      newest = process;
    }
    if (newest.getId().isEmpty() && number) {
      for (var process : list(ListRequest.getDefaultInstance())) {
        if (process.getPid() == Integer.parseInt(name)) {
          newest = process;
        }
      }
    }
    if (newest.getId().isEmpty()) {
      throw new ApiException("not_found", "no process with the id, pid or tag '" + name + "'");
    }
    return newest;
  }

  private static void notFoundOnly(ApiException e) throws ApiException {
    if (!e.code().equals("not_found")) {
      throw e;
    }
  }

  private ProcessInfo get(ProcessRef ref) throws IOException, ApiException {
    var request = GetRequest.newBuilder().setProcess(ref).build();
    return call("Get", request, GetResponse.parser(), AgentClient.UNARY_TIMEOUT).getProcess();
  }

  /// Every page, oldest first.
  List<ProcessInfo> list(ListRequest request) throws IOException, ApiException {
    var all = new ArrayList<ProcessInfo>();
    var next = request;
    while (true) {
      var page = call("List", next, ListResponse.parser(), AgentClient.UNARY_TIMEOUT);
      all.addAll(page.getProcessesList());
      if (page.getNextPageToken().isEmpty()) {
        return all;
      }
      next = request.toBuilder().setPageToken(page.getNextPageToken()).build();
    }
  }

  SignalResponse signal(SignalRequest request) throws IOException, ApiException {
    return call("Signal", request, SignalResponse.parser(), AgentClient.UNARY_TIMEOUT);
  }

  /// Answered when the process has ended.
  StopResponse stop(StopRequest request) throws IOException, ApiException {
    return call("Stop", request, StopResponse.parser(), AgentClient.FOR_EVER);
  }

  WaitResponse await(WaitRequest request) throws IOException, ApiException {
    return call("Wait", request, WaitResponse.parser(), AgentClient.FOR_EVER);
  }

  /// Input behind what was written last; answered when the process has taken it, which may be never.
  WriteResponse write(ProcessRef process, ByteString bytes, boolean end)
      throws IOException, ApiException {
    var request = WriteRequest.newBuilder().setProcess(process).setBytes(bytes).setEnd(end).build();
    return call("Write", request, WriteResponse.parser(), AgentClient.FOR_EVER);
  }

  void resize(ProcessRef process, Terminal.Size size) throws IOException, ApiException {
    var request =
        ResizeRequest.newBuilder().setProcess(process).setSize(terminalSize(size)).build();
    call("Resize", request, ResizeResponse.parser(), AgentClient.UNARY_TIMEOUT);
  }

  static TerminalSize terminalSize(Terminal.Size size) {
    return TerminalSize.newBuilder().setCols(size.columns()).setRows(size.rows()).build();
  }

  static ProcessRef ref(ProcessInfo process) {
    return ProcessRef.newBuilder().setId(process.getId()).build();
  }

  AgentClient.Answers<ReadResponse> read(ReadRequest request) throws IOException {
    return client.stream(
        PROCESSES + "Read",
        request.toBuilder().setHeartbeatMs(HEARTBEAT_MILLIS).build(),
        ReadResponse.parser(),
        Map.of(),
        STREAM_SILENCE);
  }

  AgentClient.Answers<LogResponse> logs(LogQuery query) throws IOException {
    return client.stream(LOGS + "Query", query, LogResponse.parser(), Map.of(), STREAM_SILENCE);
  }

  private <T> T call(String method, MessageLite request, Parser<T> parser, Duration silence)
      throws IOException, ApiException {
    return client.call(PROCESSES + method, request, parser, silence);
  }

  @Override
  public void close() throws IOException {
    client.close();
  }
}

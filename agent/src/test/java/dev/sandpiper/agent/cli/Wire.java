package dev.sandpiper.agent.cli;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.ProcessEvent;
import dev.sandpiper.proto.process.StartResponse;
import java.nio.ByteBuffer;
import java.util.List;

/// What an agent would put on the wire.
final class Wire {
  private Wire() {}

  static ProcessEvent start(int pid) {
    return ProcessEvent.newBuilder()
        .setStart(ProcessEvent.StartEvent.newBuilder().setPid(pid))
        .build();
  }

  static ProcessEvent stdout(String text) {
    return ProcessEvent.newBuilder()
        .setData(ProcessEvent.DataEvent.newBuilder().setStdout(ByteString.copyFromUtf8(text)))
        .build();
  }

  static ProcessEvent stderr(ByteString bytes) {
    return ProcessEvent.newBuilder()
        .setData(ProcessEvent.DataEvent.newBuilder().setStderr(bytes))
        .build();
  }

  static ProcessEvent keepalive() {
    return ProcessEvent.newBuilder()
        .setKeepalive(ProcessEvent.KeepAlive.getDefaultInstance())
        .build();
  }

  static ProcessEvent exited(int code) {
    return ProcessEvent.newBuilder()
        .setEnd(
            ProcessEvent.EndEvent.newBuilder()
                .setExitCode(code)
                .setExited(true)
                .setStatus("exit status " + code))
        .build();
  }

  static ProcessEvent signaled(String name) {
    return ProcessEvent.newBuilder()
        .setEnd(ProcessEvent.EndEvent.newBuilder().setExitCode(-1).setStatus("signal: " + name))
        .build();
  }

  static ByteString envelope(int flags, ByteString message) {
    var head = ByteBuffer.allocate(5).put((byte) flags).putInt(message.size()).flip();
    return ByteString.copyFrom(head).concat(message);
  }

  /// The events, and the end of the stream.
  static ByteString body(List<ProcessEvent> events, String end) {
    var bytes = ByteString.empty();
    for (var event : events) {
      var message = StartResponse.newBuilder().setEvent(event).build();
      bytes = bytes.concat(envelope(0, message.toByteString()));
    }
    return bytes.concat(envelope(2, ByteString.copyFromUtf8(end)));
  }

  /// In one chunk for each 10 bytes, so that chunks end anywhere.
  static ByteString response(ByteString body) {
    var head =
        List.of(
            "HTTP/1.1 200 OK",
            "Content-Type: application/connect+proto",
            "Transfer-Encoding: chunked",
            "",
            "");
    var bytes = ByteString.copyFromUtf8(String.join("\r\n", head));
    for (var at = 0; at < body.size(); at += 10) {
      var chunk = body.substring(at, Math.min(body.size(), at + 10));
      bytes =
          bytes
              .concat(ByteString.copyFromUtf8(Integer.toHexString(chunk.size()) + "\r\n"))
              .concat(chunk)
              .concat(ByteString.copyFromUtf8("\r\n"));
    }
    return bytes.concat(ByteString.copyFromUtf8("0\r\n\r\n"));
  }

  static ByteString stream(List<ProcessEvent> events, String end) {
    return response(body(events, end));
  }
}

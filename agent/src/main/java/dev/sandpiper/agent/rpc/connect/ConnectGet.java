package dev.sandpiper.agent.rpc.connect;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.rpc.Codec;
import dev.sandpiper.agent.rpc.Compression;
import dev.sandpiper.agent.rpc.Deadlines;
import dev.sandpiper.agent.rpc.HeaderMetadata;
import dev.sandpiper.agent.rpc.RpcMethod;
import dev.sandpiper.agent.rpc.RpcServer;
import dev.sandpiper.agent.rpc.RpcSettings;
import dev.sandpiper.agent.rpc.WholeBodyReader;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.netty.buffer.Unpooled;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A unary call by GET: `?connect=v1&encoding=json&message=…[&base64=1][&compression=gzip]`.
final class ConnectGet {
  private ConnectGet() {}

  /// False if the query is not Connect's.
  static boolean start(RpcServer server, RpcMethod method, HttpExchange exchange) {
    Headers headers = exchange.requestHeaders();
    RpcSettings settings = server.settings();
    Map<String, String> query = parse(exchange.query());
    String encoding = query.getOrDefault("encoding", "");
    if (!encoding.equals("json") && !encoding.equals("proto")) {
      return false;
    }
    String version = query.get("connect");
    if (version != null && !version.equals("v1")) {
      throw invalid("connect must be \"v1\": got \"" + version + "\"");
    }
    Codec codec = server.codec(encoding.equals("json"));
    Deadline deadline = Deadlines.connect(headers.get("connect-timeout-ms"));
    Compression in = Compression.ofRequest(query.get("compression"));
    Compression out = Compression.ofAccepted(headers.get("accept-encoding"));
    WholeBodyReader reader = new WholeBodyReader(in, settings.maxReceiveBytes());
    reader.feed(Unpooled.wrappedBuffer(message(query)));
    Metadata metadata = HeaderMetadata.toMetadata(headers);
    new ConnectUnaryCall(exchange, method, codec, reader, deadline, out, settings).start(metadata);
    return true;
  }

  private static byte[] message(Map<String, String> query) {
    String message = query.get("message");
    if (message == null) {
      throw invalid("missing message parameter");
    }
    if (!"1".equals(query.get("base64"))) {
      return message.getBytes(StandardCharsets.UTF_8);
    }
    try {
      return Base64.getUrlDecoder().decode(message);
    } catch (IllegalArgumentException _) {
      throw invalid("message is not URL-safe base64");
    }
  }

  private static Map<String, String> parse(@Nullable String query) {
    Map<String, String> parameters = new HashMap<>();
    if (query != null) {
      for (String pair : query.split("&", -1)) {
        int equals = pair.indexOf('=');
        String name = equals < 0 ? pair : pair.substring(0, equals);
        String value = equals < 0 ? "" : pair.substring(equals + 1);
        parameters.putIfAbsent(decode(name), decode(value));
      }
    }
    return parameters;
  }

  private static String decode(String text) {
    try {
      return URLDecoder.decode(text, StandardCharsets.UTF_8);
    } catch (IllegalArgumentException _) {
      throw invalid("the query is not percent-encoded");
    }
  }

  private static StatusRuntimeException invalid(String message) {
    return Status.INVALID_ARGUMENT.withDescription(message).asRuntimeException();
  }
}

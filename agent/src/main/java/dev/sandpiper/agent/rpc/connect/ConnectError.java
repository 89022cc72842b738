package dev.sandpiper.agent.rpc.connect;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.rpc.Codes;
import dev.sandpiper.agent.rpc.HeaderMetadata;
import io.grpc.Metadata;
import io.grpc.Status;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/// How Connect writes errors: `{"code":"not_found","message":"…","details":[{"type":"…","value":"…"}]}`.
///
/// Written by hand: a dozen members in all, and no JSON library has to load for it. `<` and `>` are escaped, as other
/// servers do, so that an error shown in a page is text.
final class ConnectError {
  static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
  private static final String TYPE_PREFIX = "type.googleapis.com/";

  private ConnectError() {}

  static byte[] unary(Status status, Metadata trailers) {
    StringBuilder json = new StringBuilder(128);
    error(json, status, trailers);
    return json.toString().getBytes(StandardCharsets.UTF_8);
  }

  /// The last envelope of a stream: `{}`, `{"error":{…}}`, each with `"metadata"` if there is any.
  static byte[] endStream(Status status, Metadata trailers) {
    StringBuilder json = new StringBuilder(128).append('{');
    if (!status.isOk()) {
      json.append("\"error\":");
      error(json, status, trailers);
    }
    Headers metadata = new Headers();
    HeaderMetadata.append(trailers, "", metadata);
    if (metadata.size() > 0) {
      json.append(status.isOk() ? "" : ",").append("\"metadata\":");
      metadata(json, metadata);
    }
    return json.append('}').toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void metadata(StringBuilder json, Headers metadata) {
    json.append('{');
    for (int i = 0; i < metadata.size(); i++) {
      String name = metadata.name(i);
      if (i > 0 && metadata.name(i - 1).equals(name)) {
        continue; // entries of one name stand together; the first one wrote all of them
      }
      json.append(i > 0 ? "," : "");
      string(json, name);
      json.append(":[");
      List<String> values = metadata.all(name);
      for (int v = 0; v < values.size(); v++) {
        json.append(v > 0 ? "," : "");
        string(json, values.get(v));
      }
      json.append(']');
    }
    json.append('}');
  }

  private static void error(StringBuilder json, Status status, Metadata trailers) {
    json.append("{\"code\":\"").append(Codes.connectName(status.getCode())).append('"');
    com.google.rpc.Status rich = details(trailers);
    String message =
        rich != null && !rich.getMessage().isEmpty() ? rich.getMessage() : status.getDescription();
    if (message != null && !message.isEmpty()) {
      json.append(",\"message\":");
      string(json, message);
    }
    if (rich != null && rich.getDetailsCount() > 0) {
      json.append(",\"details\":[");
      for (int i = 0; i < rich.getDetailsCount(); i++) {
        Any detail = rich.getDetails(i);
        String type = detail.getTypeUrl();
        json.append(i > 0 ? "," : "").append("{\"type\":");
        string(json, type.startsWith(TYPE_PREFIX) ? type.substring(TYPE_PREFIX.length()) : type);
        json.append(",\"value\":\"")
            .append(HeaderMetadata.encodeBase64(detail.getValue().toByteArray()))
            .append("\"}");
      }
      json.append(']');
    }
    json.append('}');
  }

  private static com.google.rpc.@Nullable Status details(Metadata trailers) {
    byte[] bytes = trailers.get(DETAILS);
    if (bytes == null) {
      return null;
    }
    try {
      return com.google.rpc.Status.parseFrom(bytes);
    } catch (InvalidProtocolBufferException e) {
      LoggerFactory.getLogger("rpc")
          .warn("a service sent error details that are no google.rpc.Status", e);
      return null;
    }
  }

  static void string(StringBuilder json, String text) {
    json.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"' -> json.append("\\\"");
        case '\\' -> json.append("\\\\");
        case '\n' -> json.append("\\n");
        case '\r' -> json.append("\\r");
        case '\t' -> json.append("\\t");
        default -> {
          if (c < ' ' || c == '<' || c == '>' || c == '&' || c == '\u2028' || c == '\u2029') {
            json.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
          } else {
            json.append(c);
          }
        }
      }
    }
    json.append('"');
  }
}

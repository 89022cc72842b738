package dev.sandpiper.agent.rpc.grpc;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.rpc.HeaderMetadata;
import io.grpc.Metadata;
import io.grpc.Status;
import java.nio.charset.StandardCharsets;

/// How gRPC writes the end of a call: `grpc-status`, `grpc-message` (percent-encoded) and the service's trailers.
final class GrpcStatus {
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
  private static final byte[] HEX = "0123456789ABCDEF".getBytes(StandardCharsets.US_ASCII);

  private GrpcStatus() {}

  static void append(Status status, Metadata trailers, Headers headers) {
    headers.addLowerCase("grpc-status", Integer.toString(status.getCode().value()));
    String message = status.getDescription();
    if (message != null && !message.isEmpty()) {
      headers.addLowerCase("grpc-message", percentEncode(message));
    }
    byte[] details = trailers.get(DETAILS);
    if (details != null) {
      headers.addLowerCase("grpc-status-details-bin", HeaderMetadata.encodeBase64(details));
    }
    HeaderMetadata.append(trailers, "", headers);
  }

  /// Printable ASCII but `%` as it is, all other bytes of its UTF-8 as `%XX`.
  static String percentEncode(String message) {
    StringBuilder text = new StringBuilder(message.length() + 16);
    for (byte each : message.getBytes(StandardCharsets.UTF_8)) {
      if (each >= ' ' && each <= '~' && each != '%') {
        text.append((char) each);
      } else {
        text.append('%').append((char) HEX[(each >> 4) & 15]).append((char) HEX[each & 15]);
      }
    }
    return text.toString();
  }
}

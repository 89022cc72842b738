package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.http.Headers;
import io.grpc.Metadata;
import java.util.Base64;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// HTTP headers ↔ grpc-java's `Metadata`. Names that end in `-bin` carry bytes, in base64 on the wire.
public final class HeaderMetadata {
  private static final String BINARY = Metadata.BINARY_HEADER_SUFFIX;

  /// A service cannot set what the wire format itself says.
  private static final Set<String> RESERVED =
      Set.of(
          "content-type",
          "content-length",
          "content-encoding",
          "accept-encoding",
          "connect-content-encoding",
          "connect-accept-encoding",
          "grpc-encoding",
          "grpc-accept-encoding",
          "grpc-status",
          "grpc-message",
          "grpc-status-details-bin",
          "connection",
          "transfer-encoding",
          "te",
          "trailer",
          "host",
          "date");

  /// About this connection, not about the call (RFC 9110, section 7.6.1); grpc-java logs a warning for some.
  private static final Set<String> HOP_BY_HOP =
      Set.of(
          "connection",
          "keep-alive",
          "proxy-connection",
          "te",
          "transfer-encoding",
          "upgrade",
          "http2-settings");

  /// Making a key checks its name each time. Bound: what exceeds it is made anew.
  private static final Map<String, Metadata.Key<String>> KEYS = new ConcurrentHashMap<>();

  private static final int KEYS_MAX = 256;

  private HeaderMetadata() {}

  /// Every header that gRPC's rules for names allow; others, and bytes that are no base64, are left out.
  public static Metadata toMetadata(Headers headers) {
    Metadata metadata = new Metadata();
    for (int i = 0; i < headers.size(); i++) {
      String name = headers.name(i);
      if (HOP_BY_HOP.contains(name)) {
        continue;
      }
      String value = headers.value(i);
      try {
        if (name.endsWith(BINARY)) {
          Metadata.Key<byte[]> key = Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER);
          for (String part : value.split(",", -1)) {
            metadata.put(key, decodeBase64(part.strip()));
          }
        } else {
          metadata.put(key(name), value);
        }
      } catch (IllegalArgumentException _) {
        // Not a name or value that metadata can hold: plain HTTP clients may send such, and
        // services do not miss it.
      }
    }
    return metadata;
  }

  private static Metadata.Key<String> key(String name) {
    Metadata.Key<String> key = KEYS.get(name);
    if (key == null) {
      key = Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
      if (KEYS.size() < KEYS_MAX) {
        KEYS.put(name, key);
      }
    }
    return key;
  }

  /// Appends metadata to headers, each name with a prefix.
  public static void append(Metadata metadata, String prefix, Headers headers) {
    for (String name : metadata.keys()) {
      if (prefix.isEmpty() ? RESERVED.contains(name) : name.equals("grpc-status-details-bin")) {
        continue;
      }
      if (name.endsWith(BINARY)) {
        Iterable<byte[]> values =
            metadata.getAll(Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER));
        if (values != null) {
          values.forEach(value -> headers.addLowerCase(prefix + name, encodeBase64(value)));
        }
      } else {
        Iterable<String> values = metadata.getAll(key(name));
        if (values != null) {
          values.forEach(value -> headers.addLowerCase(prefix + name, value));
        }
      }
    }
  }

  /// Without padding, as both protocols want it sent.
  public static String encodeBase64(byte[] bytes) {
    return Base64.getEncoder().withoutPadding().encodeToString(bytes);
  }

  /// With or without padding.
  public static byte[] decodeBase64(String text) {
    return Base64.getDecoder().decode(text);
  }
}

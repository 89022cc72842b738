package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import java.util.LinkedHashMap;
import java.util.Map;

/// The `X-Metadata-<key>` headers of an upload (contract, section 5.7).
final class MetadataHeaders {
  private static final String HEADER = "x-metadata-";
  private static final int PREFIX_BYTES = "user.e2b.".length();
  private static final int MAX_KEY_BYTES = 246; // with the prefix, what the kernel takes as a name
  private static final int MAX_TOTAL_BYTES = 4096;

  private MetadataHeaders() {}

  /// Values by key, in the order of the headers. The first value of a key counts; an empty key is passed over.
  ///
  /// @throws Refusal 400, for what cannot be stored
  static Map<String, String> read(Headers headers) throws Refusal {
    Map<String, String> metadata = new LinkedHashMap<>();
    for (int i = 0; i < headers.size(); i++) {
      String name = headers.name(i);
      if (name.startsWith(HEADER) && name.length() > HEADER.length()) {
        metadata.putIfAbsent(name.substring(HEADER.length()), headers.value(i));
      }
    }
    int total = 0;
    for (Map.Entry<String, String> each : metadata.entrySet()) {
      String key = each.getKey();
      if (!isPrintable(key) || !isPrintable(each.getValue())) {
        throw bad("key and value of '" + printable(key) + "' must be printable ASCII");
      }
      if (key.length() > MAX_KEY_BYTES) {
        throw bad("the key '" + key + "' is longer than " + MAX_KEY_BYTES + " bytes");
      }
      total += PREFIX_BYTES + key.length() + each.getValue().length();
    }
    if (total > MAX_TOTAL_BYTES) {
      throw bad("all together is " + total + " bytes, and " + MAX_TOTAL_BYTES + " are allowed");
    }
    return metadata;
  }

  private static Refusal bad(String reason) {
    return new Refusal(400, "invalid metadata: " + reason);
  }

  private static boolean isPrintable(String text) {
    return text.chars().allMatch(c -> c >= 0x20 && c <= 0x7E);
  }

  private static String printable(String text) {
    StringBuilder shown = new StringBuilder(text.length());
    text.chars().forEach(c -> shown.append(c >= 0x20 && c <= 0x7E ? (char) c : '?'));
    return shown.toString();
  }
}

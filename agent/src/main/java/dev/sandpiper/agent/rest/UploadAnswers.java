package dev.sandpiper.agent.rest;

import java.util.Map;

/// The JSON that says what was written: `{"name":"a.txt","path":"/d/a.txt","type":"file","metadata":{"k":"v"}}`, without
/// `metadata` where there is none (contract, section 5.6).
final class UploadAnswers {
  private UploadAnswers() {}

  static void append(StringBuilder json, String path, Map<String, String> metadata) {
    json.append("{\"name\":");
    JsonText.string(json, name(path));
    json.append(",\"path\":");
    JsonText.string(json, path);
    json.append(",\"type\":\"file\"");
    if (!metadata.isEmpty()) {
      String separator = ",\"metadata\":{";
      for (Map.Entry<String, String> each : metadata.entrySet()) {
        json.append(separator);
        JsonText.string(json, each.getKey());
        json.append(':');
        JsonText.string(json, each.getValue());
        separator = ",";
      }
      json.append('}');
    }
    json.append('}');
  }

  /// The last part of an absolute path.
  static String name(String path) {
    return path.substring(path.lastIndexOf('/') + 1);
  }
}

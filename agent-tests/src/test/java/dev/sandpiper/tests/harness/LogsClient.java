package dev.sandpiper.tests.harness;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// `/logs` and its relatives as a client of plain HTTP sees them.
public record LogsClient(AgentProcess agent) {
  public HttpConnection.Reply get(String path) {
    return get(path, Map.of());
  }

  public HttpConnection.Reply get(String path, Map<String, String> headers) {
    try (HttpConnection connection = agent.http()) {
      return connection.send("GET", path, headers).reply();
    }
  }

  private HttpConnection.Reply ok(String query, String accept, Map<String, String> headers) {
    Map<String, String> all = new LinkedHashMap<>(headers);
    all.put("Accept", accept);
    HttpConnection.Reply reply = get("/logs?" + query, all);
    if (reply.status() != 200) {
      throw new AssertionError(reply.status() + ": " + reply.text());
    }
    return reply;
  }

  /// Lines of plain text.
  public List<String> lines(String query) {
    return ok(query, "text/plain", Map.of()).text().lines().toList();
  }

  /// Objects of NDJSON, heartbeats and end included.
  public List<Json> raw(String query) {
    return raw(query, Map.of());
  }

  public List<Json> raw(String query, Map<String, String> headers) {
    return new ArrayList<>(
        ok(query, "application/x-ndjson", headers).text().lines().map(Json::parse).toList());
  }

  /// Entries, from NDJSON.
  public List<Json> objects(String query) {
    return raw(query).stream()
        .filter(it -> !Set.of("heartbeat", "end").contains(it.string("event_type")))
        .toList();
  }

  public ServerSentEvents events(String query) {
    return events(query, Map.of());
  }

  public ServerSentEvents events(String query, Map<String, String> headers) {
    return ServerSentEvents.get(agent.http(), "/logs?" + query, headers);
  }
}

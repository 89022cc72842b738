package dev.sandpiper.tests.harness;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/// `/v1/process` as a client of plain HTTP sees it.
public record ManagedProcesses(AgentProcess agent) {
  public HttpConnection.Reply send(String method, String path) {
    return send(method, path, Map.of());
  }

  public HttpConnection.Reply send(String method, String path, Map<String, String> headers) {
    try (HttpConnection connection = agent.http()) {
      return connection.send(method, "/v1/process" + path, headers).reply();
    }
  }

  public HttpConnection.Reply post(String path, String body, Map<String, String> headers) {
    try (HttpConnection connection = agent.http()) {
      return connection
          .send("POST", "/v1/process" + path, headers, body.getBytes(StandardCharsets.UTF_8))
          .reply();
    }
  }

  public HttpConnection.Reply start(String body) {
    return post("", body, Map.of("Content-Type", "application/json"));
  }

  /// Starts a shell and gives the id.
  public String shell(String script) {
    HttpConnection.Reply reply =
        start("{\"command\":\"sh\",\"args\":[\"-c\"," + Json.quote(script) + "]}");
    if (reply.status() != 201) {
      throw new AssertionError(reply.status() + ": " + reply.text());
    }
    return reply.json().string("id");
  }

  public Json get(String id) {
    return send("GET", "/" + id).json();
  }

  public List<Json> list() {
    return send("GET", "").json().get("processes").array();
  }

  /// The lines of a process now.
  ///
  /// @param query with its question mark, or empty
  public Json logs(String id, String query) {
    HttpConnection.Reply reply = send("GET", "/" + id + "/logs" + query);
    if (reply.status() != 200) {
      throw new AssertionError(reply.status() + ": " + reply.text());
    }
    return reply.json();
  }

  public ServerSentEvents follow(String id, String query) {
    return follow(id, query, Map.of());
  }

  public ServerSentEvents follow(String id, String query, Map<String, String> headers) {
    return ServerSentEvents.get(
        agent.http(), "/v1/process/" + id + "/logs?follow=true" + query, headers);
  }

  /// Follows to the end.
  public Json awaitEnd(String id) {
    try (ServerSentEvents events = follow(id, "&tail=0")) {
      return Json.parse(events.rest().getLast().data());
    }
  }
}

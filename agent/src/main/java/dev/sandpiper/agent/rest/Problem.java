package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// A request that is answered with a problem document (RFC 9457): `{"type","title","status","detail"}`, and `parameter`
/// where one of the request's is at fault.
final class Problem extends Exception {
  private static final long serialVersionUID = 1L;

  static final String NOT_FOUND = "process-not-found";
  static final String INVALID = "invalid-request";
  static final String RUNNING = "process-running";
  static final String START_FAILED = "start-failed";
  static final String SURVIVORS = "processes-survived";
  static final String UNAVAILABLE = "unavailable";

  private static final String TYPES = "urn:sandpiper:problem:";

  private final int status;
  private final String type;
  private final String title;
  private final String detail;
  private final @Nullable String parameter;

  Problem(int status, String type, String title, String detail) {
    this(status, type, title, detail, null);
  }

  private Problem(
      int status, String type, String title, String detail, @Nullable String parameter) {
    super(detail, null, false, false); // an answer to a caller, not a defect
    this.status = status;
    this.type = type;
    this.title = title;
    this.detail = detail;
    this.parameter = parameter;
  }

  static Problem unknownProcess(String id) {
    return new Problem(404, NOT_FOUND, "Process not found", "there is no process " + id);
  }

  static Problem invalid(int status, String detail) {
    return new Problem(status, INVALID, "Invalid request", detail);
  }

  /// @param name of the parameter, header or member that is at fault
  static Problem badParameter(String name, String why) {
    return new Problem(400, INVALID, "Invalid request", name + ": " + why, name);
  }

  /// Answers with it.
  void answer(HttpExchange exchange) {
    StringBuilder body = new StringBuilder(160).append("{\"type\":\"").append(TYPES).append(type);
    body.append("\",\"title\":\"").append(title).append("\",\"status\":").append(status);
    body.append(",\"detail\":");
    JsonText.string(body, detail);
    if (parameter != null) {
      body.append(",\"parameter\":");
      JsonText.string(body, parameter);
    }
    exchange.respond(
        status,
        Headers.of(
            "content-type", "application/problem+json",
            "cache-control", "no-store",
            "x-content-type-options", "nosniff"),
        body.append("}\n").toString().getBytes(StandardCharsets.UTF_8));
  }
}

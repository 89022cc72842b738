package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.BadQueryException;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogQueries;
import java.nio.charset.StandardCharsets;

/// The log of the whole sandbox over plain HTTP.
///
/// | Route | Answer |
/// |---|---|
/// | `GET /logs`, `GET /sandboxes/{id}/logs` | entries as plain text, NDJSON or server-sent events: [LogsAnswer] |
/// | `GET /sandboxes/{id}/logs` with `X-API-Key` | E2B's first shape: [EntryPages#first] |
/// | `GET /v2/sandboxes/{id}/logs` | E2B's second shape: [EntryPages#second] |
/// | `GET /sandboxes/{id}` | what E2B's clients want to know of a sandbox, above all that it runs |
///
/// A parameter that is unknown or makes no sense is 422, another sandbox than this one 404, both before any byte of the log.
public final class LogsRoutes {
  private static final int UNPROCESSABLE = 422;
  private static final int TOO_MANY = 429;

  private final LogQueries logs;
  private final SandboxFacts sandbox;
  private final EntryPages pages;

  private LogsRoutes(LogQueries logs, SandboxFacts sandbox) {
    this.logs = logs;
    this.sandbox = sandbox;
    this.pages = new EntryPages(logs);
  }

  /// Adds the routes.
  public static void register(Router router, Awaited<LogQueries> logs, SandboxFacts sandbox) {
    Awaited<LogQueries>.Routes<LogsRoutes> routes =
        logs.routes(queries -> new LogsRoutes(queries, sandbox));
    router.route("GET", "/logs", routes.on(LogsRoutes::all));
    router.route("GET", "/sandboxes/{sandboxId}/logs", routes.on(LogsRoutes::ofSandbox));
    router.route("GET", "/v2/sandboxes/{sandboxId}/logs", routes.on(LogsRoutes::second));
    router.route("GET", "/sandboxes/{sandboxId}", routes.on(LogsRoutes::sandbox));
  }

  private void all(HttpExchange exchange) {
    try {
      LogsParameters asked = LogsParameters.of(exchange);
      new LogsAnswer(exchange, asked, logs.open(asked.query())).start();
    } catch (BadQueryException bad) {
      Errors.json(exchange, UNPROCESSABLE, bad.getMessage());
    } catch (LogFailure failure) {
      refuse(exchange, failure);
    }
  }

  private void ofSandbox(HttpExchange exchange) {
    if (!isThisOne(exchange)) {
      return;
    }
    if (exchange.requestHeaders().contains("x-api-key")) {
      pages.first(exchange);
    } else {
      all(exchange);
    }
  }

  private void second(HttpExchange exchange) {
    if (isThisOne(exchange)) {
      pages.second(exchange);
    }
  }

  private boolean isThisOne(HttpExchange exchange) {
    String asked = Router.parameter(exchange, "sandboxId");
    if (sandbox.id().isEmpty()) {
      Errors.json(
          exchange, 404, "this sandbox has not been told its id: --sandbox-id or E2B_SANDBOX_ID");
      return false;
    }
    if (!asked.equals(sandbox.id().get())) {
      Errors.json(exchange, 404, "sandbox '" + asked + "' not found: this is another one");
      return false;
    }
    return true;
  }

  private void sandbox(HttpExchange exchange) {
    if (isThisOne(exchange)) {
      var _ =
          Thread.ofVirtual()
              .name("sandbox")
              .start(() -> {
                byte[] json = SandboxJson.of(sandbox).getBytes(StandardCharsets.UTF_8);
                exchange.execute(() -> exchange.respond(200, EntryPages.head(), json));
              });
    }
  }

  /// Answers a failure before any byte of the log.
  static void refuse(HttpExchange exchange, LogFailure failure) {
    switch (failure.reason()) {
      case INVALID, BAD_CURSOR -> Errors.json(exchange, UNPROCESSABLE, failure.text());
      case UNKNOWN_PROCESS -> Errors.json(exchange, 404, failure.text());
      case EXHAUSTED -> {
        exchange.extraHeaders().add("retry-after", "1");
        Errors.json(exchange, TOO_MANY, failure.text());
      }
      case UNREADABLE -> Errors.json(exchange, 500, failure.text());
    }
  }
}

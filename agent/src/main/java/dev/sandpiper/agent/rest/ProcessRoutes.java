package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.process.ProcessManager;

/// `/v1/process`: processes are started, listed, read, stopped and forgotten over plain HTTP.
///
/// They are the same processes that every other API knows. Errors are problem documents (RFC 9457).
public final class ProcessRoutes {
  private static final String ALL = "/v1/process";
  private static final String ONE = ALL + "/{id}";

  private ProcessRoutes() {}

  /// Adds the routes. What answers them is made with the first request.
  public static void register(Router router, Awaited<ProcessManager> processes) {
    Awaited<ProcessManager>.Routes<ProcessCalls> calls = processes.routes(ProcessCalls::new);
    router.route("POST", ALL, calls.on(ProcessCalls::start));
    router.route("GET", ALL, calls.on(ProcessCalls::list));
    router.route("GET", ONE, calls.on(ProcessCalls::get));
    router.route("DELETE", ONE, calls.on(ProcessCalls::delete));
    router.route("POST", ONE + "/stop", calls.on(ProcessCalls::stop));
    router.route("POST", ONE + "/kill", calls.on(ProcessCalls::kill));
    Awaited<ProcessManager>.Routes<ProcessLogs> logs = processes.routes(ProcessLogs::new);
    router.route("GET", ONE + "/logs", logs.on(ProcessLogs::logs));
    for (String file : ProcessLogs.FILES) {
      router.route(
          "GET",
          ONE + "/files/" + file,
          logs.on((handlers, exchange) -> handlers.file(exchange, file)));
    }
  }
}

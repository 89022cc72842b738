package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.auth.Caller;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.http.WholeBody;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.process.StartCallback;
import dev.sandpiper.agent.process.StartRefused;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/// Answers the routes of [ProcessRoutes] but those for logs.
final class ProcessCalls {
  private static final int MAX_BODY_BYTES = 4 * 1024 * 1024; // what the kernel takes as arguments
  private static final int SIGTERM = 15;
  private static final byte[] NOTHING = {};

  private final ProcessManager processes;
  private final TreeKills kills;

  ProcessCalls(ProcessManager processes) {
    this.processes = processes;
    this.kills = new TreeKills(processes);
  }

  /// The process that the path names.
  static ManagedProcess find(ProcessManager processes, HttpExchange exchange) throws Problem {
    String id = Router.parameter(exchange, "id");
    return processes.get(id).orElseThrow(() -> Problem.unknownProcess(id));
  }

  private interface Step {
    void run(ManagedProcess process) throws Problem;
  }

  private void withProcess(HttpExchange exchange, Step step) {
    try {
      step.run(find(processes, exchange));
    } catch (Problem problem) {
      problem.answer(exchange);
    }
  }

  static void json(HttpExchange exchange, int status, Headers headers, String json) {
    headers.set("content-type", "application/json").set("cache-control", "no-store");
    exchange.respond(status, headers, json.getBytes(StandardCharsets.UTF_8));
  }

  private static void done(HttpExchange exchange) {
    if (!exchange.isFinished()) {
      exchange.respond(204, Headers.of("cache-control", "no-store"), NOTHING);
    }
  }

  void start(HttpExchange exchange) {
    if (!StartRequest.isJson(exchange.requestHeaders().get("content-type"))) {
      Problem.invalid(415, "Content-Type: the request has to be application/json").answer(exchange);
      return;
    }
    WholeBody.collect(
        exchange,
        MAX_BODY_BYTES,
        new WholeBody.Receiver() {
          @Override
          public void onBody(byte[] body) {
            try {
              start(exchange, StartRequest.parse(body));
            } catch (Problem problem) {
              problem.answer(exchange);
            }
          }

          @Override
          public void onTooLong() {
            Problem.invalid(413, "the body is longer than " + MAX_BODY_BYTES + " bytes")
                .answer(exchange);
          }
        });
  }

  private void start(HttpExchange exchange, StartRequest request) {
    Caller caller = exchange.get(Caller.ATTRIBUTE);
    Optional<String> key =
        Optional.ofNullable(exchange.requestHeaders().get("idempotency-key"))
            .filter(text -> !text.isEmpty());
    processes.start(
        request.spec(Optional.ofNullable(caller).map(Caller::userName), key),
        false,
        new StartCallback() {
          @Override
          public void onStarted(ManagedProcess process) {
            exchange.execute(() -> {
              if (!exchange.isFinished()) {
                json(
                    exchange,
                    201,
                    Headers.of("location", "/v1/process/" + process.processId()),
                    ProcessJson.started(process));
              }
            });
          }

          @Override
          public void onRefused(StartRefused refused) {
            exchange.execute(() -> {
              if (!exchange.isFinished()) {
                problem(refused).answer(exchange);
              }
            });
          }
        });
  }

  /// The one table from refusals of a start to statuses.
  private static Problem problem(StartRefused refused) {
    int status =
        switch (refused.reason()) {
          case COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, BAD_CWD, INVALID -> 400;
          case UNKNOWN_USER -> 401;
          case USER_DENIED -> 403;
          case KEY_CONFLICT -> 409;
          case RESOURCES, STOPPING -> 503;
          case INTERNAL -> 500;
        };
    String detail = refused.getMessage();
    return new Problem(
        status,
        status == 503 ? Problem.UNAVAILABLE : Problem.START_FAILED,
        "Process not started",
        detail == null ? refused.reason().name() : detail);
  }

  /// Newest first.
  void list(HttpExchange exchange) {
    Iterator<ManagedProcess> newestFirst = List.copyOf(processes.all()).reversed().iterator();
    PulledBody body = new PulledBody(exchange, new Listing(newestFirst));
    body.start(200, Headers.of("content-type", "application/json", "cache-control", "no-store"));
  }

  /// `{"processes":[…]}`, as the client takes it.
  private static final class Listing implements PulledBody.Source {
    private final Iterator<ManagedProcess> left;
    private final StringBuilder json = new StringBuilder("{\"processes\":[");
    private boolean first = true;

    Listing(Iterator<ManagedProcess> left) {
      this.left = left;
    }

    @Override
    public PulledBody.Next next(ByteBuf out) {
      while (left.hasNext() && json.length() < PulledBody.PIECE_BYTES) {
        json.append(first ? "" : ",");
        first = false;
        ProcessJson.append(json, left.next());
      }
      boolean more = left.hasNext();
      json.append(more ? "" : "]}\n");
      ByteBufUtil.writeUtf8(out, json);
      json.setLength(0);
      return more ? PulledBody.Next.MORE : PulledBody.Next.END;
    }

    @Override
    public void close() {}
  }

  void get(HttpExchange exchange) {
    withProcess(
        exchange,
        process -> {
          StringBuilder json = new StringBuilder();
          ProcessJson.append(json, process);
          json(exchange, 200, new Headers(), json.append('\n').toString());
        });
  }

  /// SIGTERM to its group, answered at once: whether it heeds the signal is its own affair.
  void stop(HttpExchange exchange) {
    withProcess(
        exchange,
        process -> {
          process.signal(SIGTERM);
          done(exchange);
        });
  }

  /// SIGKILL to everything that it has started, answered when all of it is known to be gone.
  void kill(HttpExchange exchange) {
    withProcess(
        exchange,
        process -> {
          kills.kill(
              process,
              problem ->
                  exchange.execute(() -> {
                    if (problem == null) {
                      done(exchange);
                    } else if (!exchange.isFinished()) {
                      problem.answer(exchange);
                    }
                  }));
        });
  }

  void delete(HttpExchange exchange) {
    String id = Router.parameter(exchange, "id");
    switch (processes.delete(id)) {
      case DELETED -> done(exchange);
      case UNKNOWN -> Problem.unknownProcess(id).answer(exchange);
      case LIVE ->
          new Problem(
                  400,
                  Problem.RUNNING,
                  "Process is running",
                  "process " + id + " has not ended: stop or kill it first")
              .answer(exchange);
    }
  }
}

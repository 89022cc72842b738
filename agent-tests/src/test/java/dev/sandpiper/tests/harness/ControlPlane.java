package dev.sandpiper.tests.harness;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/// As much of a control plane as E2B's packages need to come by a secured sandbox: it sets the agent up with
/// `POST /init`, hands out the token, and passes on the agent's metrics.
final class ControlPlane implements AutoCloseable {
  private static final String SANDBOX_ID = "isandpiper0test";

  private final AgentProcess agent;
  private final String defaultUser;
  private final String token = "token-" + UUID.randomUUID();
  private final HttpClient client = HttpClient.newHttpClient();
  private final ExecutorService threads = Executors.newFixedThreadPool(4);
  private final HttpServer server;

  /// @param defaultUser whom requests that name nobody shall act as; empty leaves the agent's own choice
  ControlPlane(AgentProcess agent, String defaultUser) {
    this.agent = agent;
    this.defaultUser = defaultUser;
    try {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    server.setExecutor(threads);
    server.createContext("/", this::handle);
    server.start();
  }

  String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  String token() {
    return token;
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      String answer;
      int status;
      try {
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        String request =
            exchange.getRequestMethod()
                + exchange.getRequestURI().getPath().replaceFirst("^/v[0-9]+/", "/");
        status = request.equals("POST/sandboxes") ? 201 : request.startsWith("DELETE") ? 204 : 200;
        answer = answer(request, body);
      } catch (AssertionError | RuntimeException | IOException e) {
        status = 500;
        answer = "{\"code\":500,\"message\":" + Json.quote(String.valueOf(e)) + "}";
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      byte[] bytes = answer.getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
      exchange.getResponseBody().write(bytes);
    }
  }

  private String answer(String request, String body) throws IOException, InterruptedException {
    return switch (request) {
      case "POST/sandboxes" -> {
        init(Json.parse(body));
        yield sandbox();
      }
      case "POST/sandboxes/" + SANDBOX_ID + "/connect" -> sandbox();
      case "GET/sandboxes/" + SANDBOX_ID + "/metrics" -> "[" + metrics() + "]";
      case "DELETE/sandboxes/" + SANDBOX_ID -> "";
      default -> throw new AssertionError("the test's control plane has no " + request);
    };
  }

  private String sandbox() {
    return "{\"sandboxID\":\"%s\",\"templateID\":\"base\",\"clientID\":\"test\",\"envdVersion\":\"0.6.13\",\"envdAccessToken\":\"%s\"}"
        .formatted(SANDBOX_ID, token);
  }

  private void init(Json sandbox) throws IOException, InterruptedException {
    StringBuilder body = new StringBuilder("{\"accessToken\":" + Json.quote(token));
    if (!defaultUser.isEmpty()) {
      body.append(",\"defaultUser\":").append(Json.quote(defaultUser));
    }
    body.append(",\"envVars\":{");
    String comma = "";
    for (Map.Entry<String, Json> each : sandbox.get("envVars").object().entrySet()) {
      if (each.getValue() instanceof Json.Str(String value)) {
        body.append(comma).append(Json.quote(each.getKey())).append(':').append(Json.quote(value));
        comma = ",";
      }
    }
    HttpResponse<String> answer =
        client.send(
            request("/init")
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body.append("}}").toString()))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(answer.statusCode()).as("POST /init: %s", answer.body()).isEqualTo(204);
    assertThat(answer.headers().firstValue("X-Envd-Version"))
        .as("the version that the agent stands for")
        .hasValueSatisfying(it -> assertThat(it).matches("\\d+\\.\\d+\\.\\d+"));
  }

  private String metrics() throws IOException, InterruptedException {
    HttpResponse<String> answer =
        client.send(
            request("/metrics").header("X-Access-Token", token).GET().build(),
            HttpResponse.BodyHandlers.ofString());
    assertThat(answer.statusCode()).as("GET /metrics: %s", answer.body()).isEqualTo(200);
    Map<String, Json> measured = Json.parse(answer.body()).object();
    StringBuilder out = new StringBuilder();
    out.append("{\"timestamp\":\"").append(Instant.now()).append('"');
    Map<String, String> names =
        Map.of(
            "ts", "timestampUnix",
            "cpu_count", "cpuCount",
            "cpu_used_pct", "cpuUsedPct",
            "mem_used", "memUsed",
            "mem_total", "memTotal",
            "mem_cache", "memCache",
            "disk_used", "diskUsed",
            "disk_total", "diskTotal");
    names.forEach((ours, theirs) -> {
      if (measured.get(ours) instanceof Json.Num(String number)) {
        out.append(",\"").append(theirs).append("\":").append(number);
      } else {
        throw new AssertionError("no number '" + ours + "' in " + answer.body());
      }
    });
    return out.append('}').toString();
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + agent.port() + path))
        .timeout(Deadline.PATIENCE);
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
    client.close();
  }
}

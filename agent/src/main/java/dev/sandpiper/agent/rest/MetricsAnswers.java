package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.machine.AgentMetrics;
import dev.sandpiper.agent.machine.Machine;
import dev.sandpiper.agent.machine.Usage;
import dev.sandpiper.agent.telemetry.Metrics;
import dev.sandpiper.agent.telemetry.MetricsText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Makes the answers of [MetricsRoute].
///
/// On a thread of its own, one request after the other, since asking a file system for its size can hang. The thread
/// ends when nobody has asked for a while.
final class MetricsAnswers {
  private static final Logger LOG = LoggerFactory.getLogger("metrics");
  private static final String JSON = "application/json";
  private static final String TEXT = "text/plain";
  private static final String OPEN_METRICS = "application/openmetrics-text";
  private static final List<String> TYPES = List.of(JSON, TEXT, OPEN_METRICS);

  /// Requests that may wait for the thread. Full: 500, as what it reads hangs.
  private static final int WAITING = 64;

  private static final long IDLE_SECONDS = 30;
  private static final long SAY_AGAIN_SECONDS = 600;

  private final Metrics metrics;
  private final InstantSource clock;
  private final Machine machine = new Machine();
  private final AgentMetrics own;
  private final ThreadPoolExecutor reader =
      new ThreadPoolExecutor(
          1,
          1,
          IDLE_SECONDS,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(WAITING),
          task -> Thread.ofPlatform().name("metrics").daemon().unstarted(task));

  private long said = Long.MIN_VALUE; // the reader's own

  MetricsAnswers(Metrics metrics, InstantSource clock) {
    this.metrics = metrics;
    this.clock = clock;
    this.own = new AgentMetrics(metrics, clock);
    reader.allowCoreThreadTimeOut(true);
  }

  /// Answers, later. On the exchange's event loop.
  void answer(HttpExchange exchange) {
    String type = Acceptable.best(exchange.requestHeaders().all("accept"), TYPES);
    try {
      reader.execute(() -> read(exchange, type));
    } catch (RejectedExecutionException _) {
      respond(exchange, 500, "", "");
    }
  }

  private void read(HttpExchange exchange, String type) {
    try {
      if (type.equals(JSON)) {
        String json = json();
        exchange.execute(() -> respond(exchange, 200, JSON, json));
      } else {
        boolean open = type.equals(OPEN_METRICS);
        MetricsText text = new MetricsText(open);
        own.write(text);
        metrics.write(text);
        sandbox(text);
        String whole = text.finish();
        exchange.execute(() -> respond(exchange, 200, text.contentType(), whole));
      }
    } catch (Throwable e) {
      unreadable(e);
      exchange.execute(() -> respond(exchange, 500, "", ""));
    }
  }

  private static void respond(HttpExchange exchange, int status, String type, String body) {
    Headers headers = Headers.of("cache-control", "no-store", "vary", "Accept");
    if (!type.isEmpty()) {
      headers.add("content-type", type);
    }
    exchange.respond(status, headers, body.getBytes(StandardCharsets.UTF_8));
  }

  /// Contract, section 5.2.
  private String json() throws IOException {
    Usage usage = machine.usage();
    return "{\"ts\":"
        + clock.instant().getEpochSecond()
        + ",\"cpu_count\":"
        + usage.processorCount()
        + ",\"cpu_used_pct\":"
        + hundredths(machine.cpuPercent(usage))
        + ",\"mem_total\":"
        + usage.memoryTotal()
        + ",\"mem_used\":"
        + usage.memoryUsed()
        + ",\"mem_cache\":"
        + usage.memoryCache()
        + ",\"mem_total_mib\":"
        + (usage.memoryTotal() >> 20)
        + ",\"mem_used_mib\":"
        + (usage.memoryUsed() >> 20)
        + ",\"disk_used\":"
        + usage.diskUsed()
        + ",\"disk_total\":"
        + usage.diskTotal()
        + "}\n";
  }

  /// With two decimals at most.
  static String hundredths(double number) {
    long hundredths = Math.round(number * 100);
    long rest = hundredths % 100;
    String whole = Long.toString(hundredths / 100);
    if (rest == 0) {
      return whole;
    }
    return whole + (rest < 10 ? ".0" : ".") + (rest % 10 == 0 ? rest / 10 : rest);
  }

  private void sandbox(MetricsText text) {
    Usage usage;
    try {
      usage = machine.usage();
    } catch (IOException e) {
      unreadable(e); // the agent's own numbers are worth having without
      return;
    }
    text.gauge("sandpiper_sandbox_cpus", "Processors that the sandbox may use, as a quota says.")
        .sample(usage.processors());
    text.counter(
            "sandpiper_sandbox_cpu_seconds_total",
            "Time of these processors that was used; by the machine where no quota limits the sandbox.")
        .sample(usage.cpuSeconds());
    text.gauge(
            "sandpiper_sandbox_memory_bytes",
            "Memory that the sandbox may use: the machine's, or a smaller limit.")
        .sample(usage.memoryTotal());
    text.gauge(
            "sandpiper_sandbox_memory_used_bytes",
            "Memory in use, without what the kernel gives back when it gets short.")
        .sample(usage.memoryUsed());
    text.gauge(
            "sandpiper_sandbox_memory_cache_bytes", "Page cache, and what else is kept for files.")
        .sample(usage.memoryCache());
    text.gauge("sandpiper_sandbox_disk_bytes", "Size of the file system of /.")
        .sample(usage.diskTotal());
    text.gauge("sandpiper_sandbox_disk_used_bytes", "What of it is not there for an ordinary user.")
        .sample(usage.diskUsed());
  }

  private void unreadable(Throwable e) {
    long now = clock.instant().getEpochSecond();
    if (said == Long.MIN_VALUE || now - said > SAY_AGAIN_SECONDS) {
      said = now;
      LOG.warn("/metrics does not know what the sandbox uses", e);
    }
  }
}

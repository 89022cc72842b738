package dev.sandpiper.agent.rest;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.accounts.SandboxDefaults;
import dev.sandpiper.agent.auth.InitAccess;
import dev.sandpiper.agent.config.SecretFile;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Responses;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.http.WholeBody;
import dev.sandpiper.agent.machine.TrustStore;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// `POST /init`: a control plane tells the sandbox its variables, its token and its defaults (contract, section 5.4).
///
/// One at a time, in the order of arrival. What belongs to a microVM is not done here: the clock is never set,
/// `hyperloopIP` and `lifecycleID` are passed over with a log line, and `volumeMounts` is refused, because its sender would
/// write to a directory that is no volume.
public final class InitRoute {
  /// The release of envd whose features are there. What E2B's SDKs may use depends on it.
  public static final String ENVD_VERSION = "0.6.13";

  private static final Logger LOG = LoggerFactory.getLogger("init");
  private static final int MAX_BODY_BYTES = 1024 * 1024; // a whole trust store has 220 KiB
  private static final int MAX_WAITING = 64;

  /// Whoever reaches the port may send a body before it is known who it is: those above 16 KiB, at a time.
  private static final int MAX_LARGE = 4;

  private static final byte[] NOTHING = {};

  private final InitAccess access;
  private final SandboxDefaults defaults;
  private final TrustStore trustStore;
  private final Object lock = new Object();

  @GuardedBy("lock")
  private boolean running;

  /// Behind the one that runs. Bound: MAX_WAITING; when full, 503.
  @GuardedBy("lock")
  private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();

  private final AtomicInteger large = new AtomicInteger();

  /// The newest that was applied. Only the one that runs touches it.
  private @Nullable Instant newest;

  private InitRoute(InitAccess access, SandboxDefaults defaults, TrustStore trustStore) {
    this.access = access;
    this.defaults = defaults;
    this.trustStore = trustStore;
  }

  /// Adds the route.
  public static void register(
      Router router, InitAccess access, SandboxDefaults defaults, TrustStore trustStore) {
    router.route("POST", "/init", new InitRoute(access, defaults, trustStore)::handle);
  }

  private void handle(HttpExchange exchange) {
    exchange.extraHeaders().add("x-envd-version", ENVD_VERSION);
    WholeBody.collect(exchange, MAX_BODY_BYTES, new Incoming(exchange));
  }

  /// One request, from its body to its answer.
  private final class Incoming implements WholeBody.Receiver {
    final HttpExchange exchange;
    private boolean isLarge;

    Incoming(HttpExchange exchange) {
      this.exchange = exchange;
    }

    @Override
    public boolean onLarge() {
      isLarge = true;
      if (large.incrementAndGet() <= MAX_LARGE) {
        return true;
      }
      over();
      Responses.text(exchange, 503, MAX_LARGE + " other large requests for /init come in already");
      return false;
    }

    @Override
    public void onTooLong() {
      over();
      Responses.text(exchange, 413, "the body is longer than " + MAX_BODY_BYTES + " bytes");
    }

    @Override
    public void onAborted() {
      over();
    }

    @Override
    public void onBody(byte[] body) {
      InitRequest request;
      try {
        request = InitRequest.parse(body);
      } catch (InitRequest.Bad e) {
        over();
        LOG.warn("/init was refused: {}", e.getMessage());
        exchange.respond(400, new Headers(), NOTHING);
        return;
      }
      enter(this, request);
    }

    /// Nothing is kept of it any more. On the event loop; may be called twice.
    void over() {
      if (isLarge) {
        isLarge = false;
        large.decrementAndGet();
      }
    }
  }

  private record Waiting(Incoming incoming, InitRequest request) {}

  private void enter(Incoming incoming, InitRequest request) {
    boolean full;
    synchronized (lock) {
      full = waiting.size() >= MAX_WAITING;
      if (running && !full) {
        waiting.add(new Waiting(incoming, request));
        return;
      }
      running = running || !full;
    }
    if (full) {
      incoming.over();
      Responses.text(
          incoming.exchange, 503, MAX_WAITING + " other requests for /init wait already");
    } else {
      run(incoming, request);
    }
  }

  /// On the exchange's event loop.
  private void run(Incoming incoming, InitRequest request) {
    boolean over = true;
    try {
      over = incoming.exchange.isFinished() || perform(incoming, request);
    } finally {
      if (over) {
        end(incoming);
      }
    }
  }

  /// The next one's turn, on its own event loop.
  private void end(Incoming incoming) {
    incoming.over();
    Waiting next;
    synchronized (lock) {
      next = waiting.poll();
      running = next != null;
    }
    if (next != null) {
      next.incoming().exchange.execute(() -> run(next.incoming(), next.request()));
    }
  }

  /// Whether it is over when this returns.
  private boolean perform(Incoming incoming, InitRequest request) {
    HttpExchange exchange = incoming.exchange;
    String refusal = access.refusal(exchange.requestHeaders(), request.token());
    if (refusal != null) {
      LOG.warn("/init from {} was refused: {}", exchange.remoteAddress(), refusal);
      Responses.text(exchange, 401, refusal);
      return true;
    }
    String problem = problem(request);
    if (problem != null) {
      Responses.text(exchange, 400, problem);
      return true;
    }
    Instant timestamp = request.timestamp();
    if (timestamp != null && newest != null && timestamp.isBefore(newest)) {
      LOG.info("/init is older than one that was applied before, and is passed over");
      done(exchange);
      return true;
    }
    newest = timestamp == null ? newest : timestamp;
    apply(request);
    String caBundle = request.caBundle();
    if (caBundle == null) {
      done(exchange);
      return true;
    }
    Thread.ofPlatform()
        .name("trust-store")
        .daemon()
        .start(() -> {
          String failure = install(caBundle);
          exchange.execute(() -> {
            try {
              if (failure == null) {
                done(exchange);
              } else {
                Responses.text(exchange, 400, "caBundle: " + failure);
              }
            } finally {
              end(incoming);
            }
          });
        });
    return false;
  }

  /// What cannot be done, found before anything is.
  private @Nullable String problem(InitRequest request) {
    if (access.needsToken() && request.token() == null) {
      return "this agent awaits its access token: the first /init has to set accessToken";
    }
    if (request.token() != null && !SecretFile.fitsAHeader(request.token())) {
      return "accessToken: the value " + SecretFile.NO_HEADER;
    }
    if (request.volumes() > 0) {
      return "volumeMounts: volumes are mounted in microVMs only, and this is none";
    }
    Map<String, String> variables = request.variables();
    for (Map.Entry<String, String> each :
        variables == null ? Map.<String, String>of().entrySet() : variables.entrySet()) {
      String name = each.getKey();
      if (name.isEmpty() || name.indexOf('=') >= 0 || name.indexOf('\0') >= 0) {
        return "envVars: a name is empty, or holds '=' or NUL";
      }
      if (each.getValue().indexOf('\0') >= 0) {
        return "envVars: the value of " + name + " holds NUL, which no variable can";
      }
    }
    return null;
  }

  private void apply(InitRequest request) {
    Map<String, String> variables = request.variables();
    String user = request.defaultUser();
    String workdir = request.defaultWorkdir();
    if (variables != null) {
      defaults.update(now -> now.withVariables(variables));
    }
    if (request.token() != null) {
      access.accept(request.token());
    }
    if (user != null) {
      defaults.update(now -> now.withUser(user));
    }
    if (workdir != null) {
      defaults.update(now -> now.withWorkdir(workdir));
    }
    LOG.info(
        "/init was applied: {} variables, token {}, default user {}, default directory {}",
        variables == null ? "the same" : variables.size(),
        request.token() == null ? "none" : "given",
        user == null ? "the same" : user,
        workdir == null ? "the same" : workdir);
    for (String field : request.forMicrovms()) {
      LOG.info("/init: {} is for microVMs, and is passed over", field);
    }
  }

  /// What went wrong, or null.
  private @Nullable String install(String caBundle) {
    try {
      boolean changed = trustStore.install(caBundle);
      LOG.info(
          "/init: the trust store {}",
          changed ? "holds the given certificates now" : "is as it was");
      return null;
    } catch (IOException e) {
      LOG.warn("/init: the trust store was not changed: {}", e.getMessage());
      return String.valueOf(e.getMessage());
    } catch (RuntimeException e) {
      LOG.error("/init: the trust store was not changed", e);
      return "the trust store was not changed";
    }
  }

  private static void done(HttpExchange exchange) {
    exchange.respond(204, Headers.of("cache-control", "no-store"), NOTHING);
  }
}

package dev.sandpiper.agent.http;

import dev.sandpiper.agent.telemetry.MetricSource;
import dev.sandpiper.agent.telemetry.MetricsText;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// Finds the handler of a request by method and path, behind the filters.
///
/// An exact path wins over the longest matching prefix, which wins over the fallback. An unknown path is answered 404
/// with plain text; a known path with another method 405 with `Allow` and no body. Routes and filters may be added at
/// any time, from any thread; a filter sees the requests that arrive after it was added.
public final class Router implements HttpHandler, MetricSource {
  private final Map<String, Route> exact = new ConcurrentHashMap<>();
  private final List<HttpFilter> filters = new ArrayList<>();

  /// The longest first.
  private volatile List<Route> prefixes = List.of();

  private volatile HttpHandler fallback = Responses::notFound;
  private volatile HttpHandler chain = this::dispatch;

  private final RequestCounts fallbackCounts = new RequestCounts("rpc");

  private record Route(String path, Map<String, HttpHandler> methods, RequestCounts counts) {
    Route(String path) {
      this(path, Collections.synchronizedMap(new LinkedHashMap<>()), new RequestCounts(path));
    }
  }

  /// Adds a filter behind those that are there: the first one added is the outermost.
  public synchronized Router filter(HttpFilter filter) {
    filters.add(filter);
    HttpHandler next = this::dispatch;
    for (int i = filters.size() - 1; i >= 0; i--) {
      HttpFilter each = filters.get(i);
      HttpHandler inner = next;
      next = exchange -> each.filter(exchange, inner);
    }
    chain = next;
    return this;
  }

  /// One method of one path.
  public synchronized Router route(String method, String path, HttpHandler handler) {
    put(exact.computeIfAbsent(path, Route::new), method, handler);
    return this;
  }

  /// One method of every path that begins with `prefix`.
  public synchronized Router prefix(String method, String prefix, HttpHandler handler) {
    Route route = null;
    for (Route each : prefixes) {
      route = each.path.equals(prefix) ? each : route;
    }
    if (route == null) {
      route = new Route(prefix);
      List<Route> sorted = new ArrayList<>(prefixes);
      sorted.add(route);
      sorted.sort((a, b) -> b.path.length() - a.path.length());
      put(route, method, handler);
      prefixes = List.copyOf(sorted);
    } else {
      put(route, method, handler);
    }
    return this;
  }

  /// Takes what no route wants.
  public Router fallback(HttpHandler handler) {
    fallback = handler;
    return this;
  }

  @Override
  public void handle(HttpExchange exchange) {
    if (exchange instanceof AbstractExchange counted) {
      Route route = find(exchange.path());
      counted.countAs(route == null ? fallbackCounts : route.counts);
    }
    chain.handle(exchange);
  }

  @Override
  public void write(MetricsText text) {
    List<RequestCounts> all = new ArrayList<>();
    exact.values().forEach(route -> all.add(route.counts));
    prefixes.forEach(route -> all.add(route.counts));
    all.sort(Comparator.comparing(RequestCounts::route));
    all.add(fallbackCounts);
    HttpMetrics.write(all, text);
  }

  private void dispatch(HttpExchange exchange) {
    Route route = find(exchange.path());
    if (route == null) {
      fallback.handle(exchange);
      return;
    }
    HttpHandler handler = route.methods.get(exchange.method());
    if (handler == null) {
      Responses.methodNotAllowed(exchange, List.copyOf(route.methods.keySet()));
    } else {
      handler.handle(exchange);
    }
  }

  private @Nullable Route find(String path) {
    Route route = exact.get(path);
    if (route == null) {
      for (Route each : prefixes) {
        if (path.startsWith(each.path)) {
          return each;
        }
      }
    }
    return route;
  }

  private static void put(Route route, String method, HttpHandler handler) {
    if (route.methods.putIfAbsent(method, handler) != null) {
      throw new IllegalStateException(method + " " + route.path + " has a handler already");
    }
  }
}

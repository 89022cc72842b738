package dev.sandpiper.agent.http;

import dev.sandpiper.agent.telemetry.MetricSource;
import dev.sandpiper.agent.telemetry.MetricsText;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// Finds the handler of a request by method and path, behind the filters.
///
/// An exact path wins over a template, that over the longest matching prefix, which wins over the fallback. An unknown
/// path is answered 404 with plain text; a known path with another method 405 with `Allow` and no body. Routes and
/// filters may be added at any time, from any thread; a filter sees the requests that arrive after it was added.
///
/// A template is a path with segments in braces, such as `/v1/process/{id}/logs`: each stands for one segment that is not
/// empty, and [#parameter] tells which. Of two templates that match, the one added first is taken.
public final class Router implements HttpHandler, MetricSource {
  private static final HttpExchange.Attribute<Parameters> PARAMETERS =
      new HttpExchange.Attribute<>("path parameters", Parameters.class);

  private final Map<String, Route> exact = new ConcurrentHashMap<>();
  private final List<HttpFilter> filters = new ArrayList<>();

  private volatile List<Route> templates = List.of();

  /// The longest first.
  private volatile List<Route> prefixes = List.of();

  private volatile HttpHandler fallback = Responses::notFound;
  private volatile HttpHandler chain = this::dispatch;

  private final RequestCounts fallbackCounts = new RequestCounts("rpc");

  /// @param segments of a template's path, from the first slash on; empty for other paths
  private record Route(
      String path, List<String> segments, Map<String, HttpHandler> methods, RequestCounts counts) {
    Route(String path) {
      this(
          path,
          path.indexOf('{') < 0 ? List.of() : List.of(path.substring(1).split("/", -1)),
          Collections.synchronizedMap(new LinkedHashMap<>()),
          new RequestCounts(path));
    }

    boolean isTemplate() {
      return !segments.isEmpty();
    }

    boolean matches(String sent) {
      int from = 1;
      for (int i = 0; i < segments.size(); i++) {
        int slash = sent.indexOf('/', from);
        boolean last = i + 1 == segments.size();
        if (last != (slash < 0)) {
          return false;
        }
        int to = last ? sent.length() : slash;
        String segment = segments.get(i);
        if (isParameter(segment)
            ? to == from
            : to - from != segment.length() || !sent.startsWith(segment, from)) {
          return false;
        }
        from = to + 1;
      }
      return true;
    }

    Parameters parameters(String sent) {
      String[] values = sent.substring(1).split("/", -1);
      Map<String, String> found = new HashMap<>(4);
      for (int i = 0; i < values.length; i++) {
        String segment = segments.get(i);
        if (isParameter(segment)) {
          found.put(segment.substring(1, segment.length() - 1), Query.decodeSegment(values[i]));
        }
      }
      return new Parameters(found);
    }

    private static boolean isParameter(String segment) {
      return segment.startsWith("{");
    }
  }

  private record Parameters(Map<String, String> values) {}

  /// What stands in the path for a segment in braces, percent-decoded; as it was sent where it cannot be decoded.
  ///
  /// @param name without the braces
  /// @throws IllegalStateException when the template of this request's route has no such segment
  public static String parameter(HttpExchange exchange, String name) {
    Parameters parameters = exchange.get(PARAMETERS);
    String value = parameters == null ? null : parameters.values().get(name);
    if (value == null) {
      throw new IllegalStateException(exchange.path() + " has no parameter " + name);
    }
    return value;
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

  /// One method of one path or template.
  public synchronized Router route(String method, String path, HttpHandler handler) {
    Route route = path.indexOf('{') < 0 ? exact.computeIfAbsent(path, Route::new) : template(path);
    put(route, method, handler);
    return this;
  }

  private Route template(String path) {
    for (Route each : templates) {
      if (each.path.equals(path)) {
        return each;
      }
    }
    Route route = new Route(path);
    List<Route> more = new ArrayList<>(templates);
    more.add(route);
    templates = List.copyOf(more);
    return route;
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
    templates.forEach(route -> all.add(route.counts));
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
      if (route.isTemplate()) {
        exchange.put(PARAMETERS, route.parameters(exchange.path()));
      }
      handler.handle(exchange);
    }
  }

  private @Nullable Route find(String path) {
    Route route = exact.get(path);
    if (route == null) {
      for (Route each : templates) {
        if (each.matches(path)) {
          return each;
        }
      }
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

package dev.sandpiper.agent.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.TypeRegistry;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HeldRequests;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.HttpHandler;
import dev.sandpiper.agent.http.Responses;
import dev.sandpiper.agent.telemetry.MetricSource;
import dev.sandpiper.agent.telemetry.MetricsText;
import io.grpc.Context;
import io.grpc.InternalServer;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoFileDescriptorSupplier;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Finds method and wire format of a request and starts the call. To be set as the router's fallback.
///
/// Services may be added while requests come in. Until [#ready] says that all are there, a request for a path that is
/// not known (yet) waits; beyond `maxWaiting` of them it is `unavailable`.
///
/// Unknown path: 404, plain text. Another method than POST (or GET, where the schema allows it): 405 with `Allow`. An
/// unknown content type: 415 with `Accept-Post`.
public final class RpcServer implements HttpHandler, MetricSource {
  private final RpcSettings settings;
  private final List<WireProtocol> protocols;
  private final Map<String, WireProtocol> unaryTypes = new HashMap<>();
  private final Map<String, WireProtocol> streamTypes = new HashMap<>();
  private final Map<String, RpcMethod> methods = new ConcurrentHashMap<>();
  private final MethodCounts unknown = new MethodCounts();
  private final List<ServerServiceDefinition> services = new CopyOnWriteArrayList<>();
  private final Codec proto = new ProtoCodec();
  private final Codec json = new JsonCodec(this::types);
  private final Context context =
      Context.ROOT.withValue(InternalServer.SERVER_CONTEXT_KEY, new HostedServices(this::services));
  private final LargeMessages largeMessages;
  private final Object lock = new Object();
  private volatile @Nullable TypeRegistry types;

  /// Requests for paths that are not known yet. Bound: maxWaiting; when full, `unavailable`.
  private final HeldRequests held;

  /// Services that nobody has called yet, by name.
  @GuardedBy("lock")
  private final Map<String, Later> later = new HashMap<>();

  private record Later(Supplier<ServerServiceDefinition> service, Dispatch dispatch) {}

  public RpcServer(RpcSettings settings, List<WireProtocol> protocols) {
    this.settings = settings;
    this.held = new HeldRequests(settings.maxWaiting());
    this.largeMessages = new LargeMessages(settings.maxReceiveBytes());
    this.protocols = List.copyOf(protocols);
    for (WireProtocol protocol : protocols) {
      protocol.contentTypes(true).forEach(type -> unaryTypes.put(type, protocol));
      protocol.contentTypes(false).forEach(type -> streamTypes.put(type, protocol));
    }
  }

  /// Any thread.
  public void add(ServerServiceDefinition service, Dispatch dispatch) {
    services.add(service);
    types = null;
    for (ServerMethodDefinition<?, ?> definition : service.getMethods()) {
      RpcMethod method = new RpcMethod(definition, dispatch, context, largeMessages);
      if (methods.putIfAbsent(method.path(), method) != null) {
        throw new IllegalStateException(method.path() + " is hosted already");
      }
    }
  }

  /// Adds a service whose classes are not loaded before somebody calls it or asks for reflection. Any thread.
  ///
  /// @param name as in paths, such as `grpc.health.v1.Health`
  /// @param service called once, on an event loop: must not block
  public void addLater(String name, Supplier<ServerServiceDefinition> service, Dispatch dispatch) {
    synchronized (lock) {
      later.put(name, new Later(service, dispatch));
    }
  }

  /// Adds the service of that name if it is still to be added. Under the lock, so that nobody else finds it half added.
  private void addNow(String name) {
    synchronized (lock) {
      Later found = later.remove(name);
      if (found != null) {
        add(found.service.get(), found.dispatch);
      }
    }
  }

  /// All services are there: what waits is answered. Any thread.
  public void ready() {
    held.release(this);
  }

  /// What has been added, for reflection. Any thread.
  public List<ServerServiceDefinition> services() {
    List<String> names;
    synchronized (lock) {
      names = List.copyOf(later.keySet());
    }
    names.forEach(this::addNow);
    return List.copyOf(services);
  }

  public RpcSettings settings() {
    return settings;
  }

  public Codec codec(boolean isJson) {
    return isJson ? json : proto;
  }

  @Override
  public void handle(HttpExchange exchange) {
    RpcMethod method = method(exchange.path());
    if (method != null) {
      dispatch(method, exchange);
    } else if (held.areReleased()) {
      unknown.refused(Status.Code.UNIMPLEMENTED);
      Responses.notFound(exchange);
    } else if (!held.hold(exchange)) {
      if (held.areReleased()) {
        handle(exchange);
      } else {
        refuse(exchange, Status.UNAVAILABLE.withDescription("the agent is starting"));
      }
    }
  }

  private @Nullable RpcMethod method(String path) {
    RpcMethod method = methods.get(path);
    int end = path.indexOf('/', 1);
    if (method == null && end > 0) {
      addNow(path.substring(1, end));
      method = methods.get(path);
    }
    return method;
  }

  private void dispatch(RpcMethod method, HttpExchange exchange) {
    switch (exchange.method()) {
      case "POST" -> post(method, exchange);
      case "GET" -> get(method, exchange);
      default -> methodNotAllowed(method, exchange);
    }
  }

  private void post(RpcMethod method, HttpExchange exchange) {
    String type = contentType(exchange);
    WireProtocol protocol = (method.isUnary() ? unaryTypes : streamTypes).get(type);
    if (protocol == null) {
      unsupportedType(method, exchange);
    } else {
      try {
        protocol.post(this, method, exchange, type);
      } catch (StatusRuntimeException e) {
        refuse(exchange, e.getStatus());
      }
    }
  }

  private void get(RpcMethod method, HttpExchange exchange) {
    if (method.isUnary() && method.hasNoSideEffects()) {
      for (WireProtocol protocol : protocols) {
        try {
          if (protocol.get(this, method, exchange)) {
            return;
          }
        } catch (StatusRuntimeException e) {
          refuse(exchange, e.getStatus());
          return;
        }
      }
      unsupportedType(method, exchange);
    } else {
      methodNotAllowed(method, exchange);
    }
  }

  private static void methodNotAllowed(RpcMethod method, HttpExchange exchange) {
    boolean get = method.isUnary() && method.hasNoSideEffects();
    exchange.respond(405, Headers.of("allow", get ? "GET, POST" : "POST"), new byte[0]);
  }

  private void unsupportedType(RpcMethod method, HttpExchange exchange) {
    Set<String> types = new LinkedHashSet<>();
    for (WireProtocol protocol : protocols) {
      types.addAll(protocol.contentTypes(method.isUnary()));
    }
    exchange.respond(415, Headers.of("accept-post", String.join(", ", types)), new byte[0]);
  }

  /// Without parameters such as `charset=utf-8`, in lower case; empty if there is none.
  private static String contentType(HttpExchange exchange) {
    String type = exchange.requestHeaders().get("content-type", "");
    int semicolon = type.indexOf(';');
    return (semicolon < 0 ? type : type.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
  }

  /// Answers with an error before there is a call, in the shape of the request's wire format. Requests that are in none
  /// get what unary Connect calls get. On the event loop.
  public void refuse(HttpExchange exchange, Status status) {
    RpcMethod method = methods.get(exchange.path());
    if (method != null) {
      method.counts().refused(status.getCode());
    }
    String type = exchange.method().equals("POST") ? contentType(exchange) : "";
    WireProtocol protocol = streamTypes.getOrDefault(type, protocols.getFirst());
    protocol.refuse(exchange, type, status);
  }

  @Override
  public void write(MetricsText text) {
    RpcMetrics.write(methods.values(), unknown, text);
  }

  private TypeRegistry types() {
    TypeRegistry known = types;
    if (known == null) {
      TypeRegistry.Builder builder = TypeRegistry.newBuilder();
      Set<String> seen = new LinkedHashSet<>();
      for (ServerServiceDefinition service : services) {
        if (service.getServiceDescriptor().getSchemaDescriptor()
            instanceof ProtoFileDescriptorSupplier supplier) {
          collect(supplier.getFileDescriptor(), seen, builder);
        }
      }
      known = builder.build();
      types = known;
    }
    return known;
  }

  private static void collect(FileDescriptor file, Set<String> seen, TypeRegistry.Builder builder) {
    if (seen.add(file.getFullName())) {
      builder.add(file.getMessageTypes());
      file.getDependencies().forEach(each -> collect(each, seen, builder));
    }
  }
}

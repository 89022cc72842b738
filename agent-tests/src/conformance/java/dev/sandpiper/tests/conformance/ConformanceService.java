package dev.sandpiper.tests.conformance;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import connectrpc.conformance.v1.ConformanceServiceGrpc;
import connectrpc.conformance.v1.Service.BidiStreamRequest;
import connectrpc.conformance.v1.Service.BidiStreamResponse;
import connectrpc.conformance.v1.Service.ClientStreamRequest;
import connectrpc.conformance.v1.Service.ClientStreamResponse;
import connectrpc.conformance.v1.Service.ConformancePayload;
import connectrpc.conformance.v1.Service.Header;
import connectrpc.conformance.v1.Service.IdempotentUnaryRequest;
import connectrpc.conformance.v1.Service.IdempotentUnaryResponse;
import connectrpc.conformance.v1.Service.ServerStreamRequest;
import connectrpc.conformance.v1.Service.ServerStreamResponse;
import connectrpc.conformance.v1.Service.StreamResponseDefinition;
import connectrpc.conformance.v1.Service.UnaryRequest;
import connectrpc.conformance.v1.Service.UnaryResponse;
import connectrpc.conformance.v1.Service.UnaryResponseDefinition;
import dev.sandpiper.agent.rpc.RpcAttributes;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// `connectrpc.conformance.v1.ConformanceService`: each request says how it wants to be answered. Its callbacks may block.
final class ConformanceService {
  private ConformanceService() {}

  static ServerServiceDefinition define() {
    return ServerServiceDefinition.builder(ConformanceServiceGrpc.getServiceDescriptor())
        .addMethod(
            ConformanceServiceGrpc.getUnaryMethod(),
            (call, headers) ->
                start(
                    call,
                    headers,
                    new UnaryAnswer<>(
                        UnaryRequest::getResponseDefinition,
                        p -> UnaryResponse.newBuilder().setPayload(p).build())))
        .addMethod(
            ConformanceServiceGrpc.getIdempotentUnaryMethod(),
            (call, headers) ->
                start(
                    call,
                    headers,
                    new UnaryAnswer<>(
                        IdempotentUnaryRequest::getResponseDefinition,
                        p -> IdempotentUnaryResponse.newBuilder().setPayload(p).build())))
        .addMethod(
            ConformanceServiceGrpc.getClientStreamMethod(),
            (call, headers) ->
                start(
                    call,
                    headers,
                    new UnaryAnswer<>(
                        ClientStreamRequest::getResponseDefinition,
                        p -> ClientStreamResponse.newBuilder().setPayload(p).build())))
        .addMethod(
            ConformanceServiceGrpc.getServerStreamMethod(),
            (call, headers) ->
                start(
                    call,
                    headers,
                    new StreamAnswer<>(
                        ServerStreamRequest::getResponseDefinition,
                        _ -> false,
                        p -> ServerStreamResponse.newBuilder().setPayload(p).build())))
        .addMethod(
            ConformanceServiceGrpc.getBidiStreamMethod(),
            (call, headers) ->
                start(
                    call,
                    headers,
                    new StreamAnswer<>(
                        BidiStreamRequest::getResponseDefinition,
                        BidiStreamRequest::getFullDuplex,
                        p -> BidiStreamResponse.newBuilder().setPayload(p).build())))
        .addMethod(
            ConformanceServiceGrpc.getUnimplementedMethod(),
            (call, _) -> {
              call.close(Status.UNIMPLEMENTED.withDescription("not implemented"), new Metadata());
              return new ServerCall.Listener<>() {};
            })
        .build();
  }

  /// What one call has told us so far.
  private static final class Seen<Q extends Message, S> {
    final ServerCall<Q, S> call;
    final Metadata headers;
    final List<Any> requests = new ArrayList<>();
    @Nullable Q first;
    int sent;

    /// As it was when the call started, not what is left when we answer.
    final @Nullable Long timeoutMillis;

    Seen(ServerCall<Q, S> call, Metadata headers) {
      this.call = call;
      this.headers = headers;
      Deadline deadline = Context.current().getDeadline();
      timeoutMillis = deadline == null ? null : deadline.timeRemaining(TimeUnit.MILLISECONDS);
    }
  }

  private interface Answer<Q extends Message, S> {
    void message(Seen<Q, S> seen) throws InterruptedException;

    void end(Seen<Q, S> seen) throws InterruptedException;
  }

  private static <Q extends Message, S> ServerCall.Listener<Q> start(
      ServerCall<Q, S> call, Metadata headers, Answer<Q, S> answer) {
    Seen<Q, S> seen = new Seen<>(call, headers);
    call.request(1);
    return new ServerCall.Listener<>() {
      @Override
      public void onMessage(Q message) {
        if (seen.first == null) {
          seen.first = message;
        }
        seen.requests.add(Any.pack(message));
        try {
          answer.message(seen);
        } catch (InterruptedException e) {
          throw new IllegalStateException(e);
        }
        call.request(1);
      }

      @Override
      public void onHalfClose() {
        try {
          answer.end(seen);
        } catch (InterruptedException e) {
          throw new IllegalStateException(e);
        }
      }
    };
  }

  private record UnaryAnswer<Q extends Message, S>(
      Function<Q, UnaryResponseDefinition> definition, Function<ConformancePayload, S> response)
      implements Answer<Q, S> {
    @Override
    public void message(Seen<Q, S> seen) {}

    @Override
    public void end(Seen<Q, S> seen) throws InterruptedException {
      var wanted =
          seen.first == null
              ? UnaryResponseDefinition.getDefaultInstance()
              : definition.apply(seen.first);
      Thread.sleep(wanted.getResponseDelayMs());
      seen.call.sendHeaders(metadata(wanted.getResponseHeadersList()));
      Metadata trailers = metadata(wanted.getResponseTrailersList());
      if (wanted.hasError()) {
        fail(seen, wanted.getError(), trailers);
        return;
      }
      seen.call.sendMessage(
          response.apply(
              ConformancePayload.newBuilder()
                  .setData(wanted.getResponseData())
                  .setRequestInfo(info(seen, true))
                  .build()));
      seen.call.close(Status.OK, trailers);
    }
  }

  private record StreamAnswer<Q extends Message, S>(
      Function<Q, StreamResponseDefinition> definition,
      Function<Q, Boolean> fullDuplex,
      Function<ConformancePayload, S> response)
      implements Answer<Q, S> {

    private StreamResponseDefinition wanted(Seen<Q, S> seen) {
      return seen.first == null
          ? StreamResponseDefinition.getDefaultInstance()
          : definition.apply(seen.first);
    }

    private boolean isFullDuplex(Seen<Q, S> seen) {
      return seen.first != null && fullDuplex.apply(seen.first);
    }

    @Override
    public void message(Seen<Q, S> seen) throws InterruptedException {
      if (isFullDuplex(seen)) {
        if (seen.sent == 0) {
          seen.call.sendHeaders(metadata(wanted(seen).getResponseHeadersList()));
        }
        if (seen.sent < wanted(seen).getResponseDataCount()) {
          next(seen);
          seen.requests.clear();
        } else {
          finish(seen);
        }
      }
    }

    @Override
    public void end(Seen<Q, S> seen) throws InterruptedException {
      if (seen.sent == 0) {
        seen.call.sendHeaders(metadata(wanted(seen).getResponseHeadersList()));
      }
      while (seen.sent < wanted(seen).getResponseDataCount()) {
        next(seen);
      }
      finish(seen);
    }

    private void next(Seen<Q, S> seen) throws InterruptedException {
      StreamResponseDefinition wanted = wanted(seen);
      ByteString data = wanted.getResponseData(seen.sent);
      Thread.sleep(wanted.getResponseDelayMs());
      var payload = ConformancePayload.newBuilder().setData(data);
      if (seen.sent == 0 || isFullDuplex(seen)) {
        payload.setRequestInfo(info(seen, seen.sent == 0));
      }
      seen.sent++;
      seen.call.sendMessage(response.apply(payload.build()));
    }

    private void finish(Seen<Q, S> seen) {
      StreamResponseDefinition wanted = wanted(seen);
      Metadata trailers = metadata(wanted.getResponseTrailersList());
      if (wanted.hasError()) {
        fail(seen, wanted.getError(), trailers);
      } else {
        seen.call.close(Status.OK, trailers);
      }
    }
  }

  private static void fail(
      Seen<?, ?> seen, connectrpc.conformance.v1.Service.Error error, Metadata trailers) {
    var rich =
        com.google.rpc.Status.newBuilder()
            .setCode(error.getCodeValue())
            .setMessage(error.getMessage())
            .addAllDetails(error.getDetailsList());
    if (seen.sent == 0) {
      rich.addDetails(Any.pack(info(seen, true)));
    }
    trailers.put(
        Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER),
        rich.build().toByteArray());
    seen.call.close(
        Status.fromCodeValue(error.getCodeValue()).withDescription(error.getMessage()), trailers);
  }

  private static Metadata metadata(List<Header> headers) {
    Metadata metadata = new Metadata();
    for (Header header : headers) {
      for (String value : header.getValueList()) {
        if (header.getName().endsWith("-bin")) {
          metadata.put(
              Metadata.Key.of(header.getName(), Metadata.BINARY_BYTE_MARSHALLER),
              java.util.Base64.getDecoder().decode(value));
        } else {
          metadata.put(Metadata.Key.of(header.getName(), Metadata.ASCII_STRING_MARSHALLER), value);
        }
      }
    }
    return metadata;
  }

  private static ConformancePayload.RequestInfo info(Seen<?, ?> seen, boolean full) {
    var info = ConformancePayload.RequestInfo.newBuilder().addAllRequests(seen.requests);
    if (!full) {
      return info.build();
    }
    for (String name : seen.headers.keys()) {
      Header.Builder header = Header.newBuilder().setName(name);
      if (name.endsWith("-bin")) {
        for (byte[] value :
            all(seen.headers, Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER))) {
          header.addValue(java.util.Base64.getEncoder().withoutPadding().encodeToString(value));
        }
      } else {
        all(seen.headers, Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER))
            .forEach(header::addValue);
      }
      info.addRequestHeaders(header);
    }
    if (seen.timeoutMillis != null) {
      info.setTimeoutMs(seen.timeoutMillis);
    }
    String query = seen.call.getAttributes().get(RpcAttributes.HTTP_QUERY);
    if (query != null) {
      info.setConnectGetInfo(getInfo(query));
    }
    return info.build();
  }

  private static <T> Iterable<T> all(Metadata metadata, Metadata.Key<T> key) {
    Iterable<T> values = metadata.getAll(key);
    return values == null ? List.of() : values;
  }

  private static ConformancePayload.ConnectGetInfo getInfo(String query) {
    Map<String, Header.Builder> parameters = new TreeMap<>();
    for (String pair : query.split("&", -1)) {
      String[] parts = pair.split("=", 2);
      String name = URLDecoder.decode(parts[0], StandardCharsets.UTF_8);
      String value = parts.length > 1 ? URLDecoder.decode(parts[1], StandardCharsets.UTF_8) : "";
      parameters.computeIfAbsent(name, n -> Header.newBuilder().setName(n)).addValue(value);
    }
    var info = ConformancePayload.ConnectGetInfo.newBuilder();
    parameters.values().forEach(info::addQueryParams);
    return info.build();
  }
}

package dev.sandpiper.tests.harness;

import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// grpc-java's own client, on cleartext HTTP/2.
public final class GrpcClient implements RpcClient {
  private final ManagedChannel channel;

  public GrpcClient(int port) {
    this.channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
  }

  public ManagedChannel channel() {
    return channel;
  }

  private io.grpc.Channel with(Map<String, String> headers) {
    Metadata metadata = new Metadata();
    headers.forEach((name, value) ->
        metadata.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value));
    return io.grpc.ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  @Override
  public <Q extends Message, R extends Message> R unary(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers) {
    try {
      return ClientCalls.blockingUnaryCall(
          with(headers), method, CallOptions.DEFAULT.withDeadlineAfter(Deadline.PATIENCE), request);
    } catch (StatusRuntimeException e) {
      throw error(e.getStatus());
    }
  }

  @Override
  public <Q extends Message, R extends Message> MessageStream<R> serverStream(
      MethodDescriptor<Q, R> method, Q request, Map<String, String> headers) {
    BlockingClientCall<Q, R> call =
        ClientCalls.blockingV2ServerStreamingCall(
            with(headers), method, CallOptions.DEFAULT, request);
    return new MessageStream<>() {
      @Override
      public @Nullable R next(Duration limit) throws TimeoutException {
        try {
          return call.read(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (StatusException e) {
          throw error(e.getStatus());
        } catch (InterruptedException e) {
          throw new IllegalStateException(e);
        }
      }

      @Override
      public void close() {
        call.cancel("the client goes away", null);
      }
    };
  }

  @Override
  public <Q extends Message, R extends Message> R clientStream(
      MethodDescriptor<Q, R> method, List<Q> requests, Map<String, String> headers) {
    CompletableFuture<R> answer = new CompletableFuture<>();
    StreamObserver<Q> out =
        ClientCalls.asyncClientStreamingCall(
            with(headers).newCall(method, CallOptions.DEFAULT),
            new StreamObserver<R>() {
              @Override
              public void onNext(R value) {
                answer.complete(value);
              }

              @Override
              public void onError(Throwable t) {
                answer.completeExceptionally(t);
              }

              @Override
              public void onCompleted() {
                answer.completeExceptionally(new AssertionError("completed without an answer"));
              }
            });
    requests.forEach(out::onNext);
    out.onCompleted();
    try {
      return answer.get(Deadline.PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      throw error(Status.fromThrowable(e));
    } catch (InterruptedException | TimeoutException e) {
      throw new AssertionError("no answer to " + method.getFullMethodName(), e);
    }
  }

  private static RpcException error(Status status) {
    String detail = status.getDescription();
    return RpcException.ofGrpc(status.getCode().value(), detail == null ? "" : detail, 200);
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}

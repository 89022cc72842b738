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
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/// grpc-java's own client, on HTTP/2: cleartext, or over a channel of the test's own making.
public final class GrpcClient implements RpcClient {
  private final ManagedChannel channel;

  public GrpcClient(int port) {
    this(ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build());
  }

  public GrpcClient(ManagedChannel channel) {
    this.channel = channel;
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
    return new Call<>(
        ClientCalls.blockingV2ServerStreamingCall(
            with(headers), method, CallOptions.DEFAULT, request));
  }

  @Override
  public <Q extends Message, R extends Message> RpcCall<Q, R> open(
      MethodDescriptor<Q, R> method, Map<String, String> headers) {
    return new Call<>(
        ClientCalls.blockingBidiStreamingCall(with(headers), method, CallOptions.DEFAULT));
  }

  private record Call<Q, R>(BlockingClientCall<Q, R> call) implements RpcCall<Q, R> {
    @Override
    public void send(Q request) {
      try {
        if (!call.write(request, Deadline.PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
          throw new HttpConnection.Cut("the call takes no more");
        }
      } catch (StatusException e) {
        throw error(e.getStatus());
      } catch (InterruptedException | TimeoutException e) {
        throw new AssertionError("the peer took nothing in " + Deadline.PATIENCE, e);
      }
    }

    @Override
    public void halfClose() {
      call.halfClose();
    }

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

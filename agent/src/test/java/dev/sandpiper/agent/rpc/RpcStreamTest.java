package dev.sandpiper.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.sandpiper.agent.http.RawClient;
import dev.sandpiper.proto.process.ListRequest;
import dev.sandpiper.proto.process.ListResponse;
import dev.sandpiper.proto.process.ProcessConfig;
import dev.sandpiper.proto.process.ProcessEvent;
import dev.sandpiper.proto.process.ProcessGrpc;
import dev.sandpiper.proto.process.ProcessInfo;
import dev.sandpiper.proto.process.StartRequest;
import dev.sandpiper.proto.process.StartResponse;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// What one side of a stream learns of the other: demand, writability, cancellation, deadlines.
final class RpcStreamTest {
  private static final String START = "/process.Process/Start";
  private static final String LIST = "/process.Process/List";
  private TestRpc engine;

  @BeforeEach
  void start() throws Exception {
    engine = new TestRpc();
  }

  @AfterEach
  void stop() {
    engine.close();
  }

  /// Start streams as many bytes as `cmd` says (a negative number: none, and never ends); List answers at once, or never
  /// if it is `hanging`.
  private static final class Service {
    final CompletableFuture<Void> blocked = new CompletableFuture<>();
    final CountDownLatch cancelled = new CountDownLatch(1);
    final CountDownLatch started = new CountDownLatch(1);
    final AtomicLong sent = new AtomicLong();
    volatile boolean hanging;

    ServerServiceDefinition define() {
      return ServerServiceDefinition.builder(ProcessGrpc.getServiceDescriptor().getName())
          .addMethod(ProcessGrpc.getListMethod(), (call, _) -> list(call))
          .addMethod(startMethod(), (call, _) -> stream(call))
          .build();
    }

    @SuppressWarnings(
        "unchecked") // responses are told apart by what they are, as PayloadMessage wants it
    private static MethodDescriptor<StartRequest, Object> startMethod() {
      return (MethodDescriptor<StartRequest, Object>)
          (MethodDescriptor<?, ?>) ProcessGrpc.getStartMethod();
    }

    private ServerCall.Listener<ListRequest> list(ServerCall<ListRequest, ListResponse> call) {
      call.request(2);
      return new ServerCall.Listener<>() {
        @Override
        public void onHalfClose() {
          started.countDown();
          if (!hanging) {
            call.sendHeaders(new Metadata());
            call.sendMessage(
                ListResponse.newBuilder().addProcesses(ProcessInfo.newBuilder().setPid(7)).build());
            call.close(Status.OK, new Metadata());
          }
        }

        @Override
        public void onCancel() {
          cancelled.countDown();
        }
      };
    }

    private ServerCall.Listener<StartRequest> stream(ServerCall<StartRequest, Object> call) {
      call.request(2);
      return new ServerCall.Listener<>() {
        private long total = -2;

        @Override
        public void onMessage(StartRequest message) {
          total = Long.parseLong(message.getProcess().getCmd());
          if (total == -3) {
            throw new IllegalStateException("on purpose");
          }
        }

        @Override
        public void onHalfClose() {
          started.countDown();
          call.sendHeaders(new Metadata());
          onReady();
        }

        @Override
        public void onReady() {
          while (sent.get() < total && call.isReady()) {
            int bytes = (int) Math.min(20_000, total - sent.get());
            call.sendMessage(new Zeros(bytes));
            sent.addAndGet(bytes);
          }
          if (sent.get() == total) {
            call.close(Status.OK, new Metadata());
          } else if (total > 0) {
            blocked.complete(null);
          }
        }

        @Override
        public void onCancel() {
          cancelled.countDown();
        }
      };
    }
  }

  /// Zeros as a data event's stdout, laid out by the generated code.
  private record Zeros(int payloadBytes) implements PayloadMessage {
    private StartResponse whole() {
      var data =
          ProcessEvent.DataEvent.newBuilder()
              .setStdout(ByteString.copyFrom(new byte[payloadBytes]));
      return StartResponse.newBuilder().setEvent(ProcessEvent.newBuilder().setData(data)).build();
    }

    @Override
    public byte[] protoHead() {
      return whole()
          .toByteString()
          .substring(0, whole().getSerializedSize() - payloadBytes)
          .toByteArray();
    }

    @Override
    public byte[] jsonHead() {
      return "{\"event\":{\"data\":{\"stdout\":\"".getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public byte[] jsonTail() {
      return "\"}}}".getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public int readPayload(ByteBuffer target) {
      assertThat(target.remaining()).isEqualTo(payloadBytes);
      target.put(new byte[payloadBytes]);
      return payloadBytes;
    }

    @Override
    public @Nullable FileSlice file() {
      return null;
    }

    @Override
    public void release() {}
  }

  private static byte[] request(long total) {
    return StartRequest.newBuilder()
        .setProcess(ProcessConfig.newBuilder().setCmd(Long.toString(total)))
        .build()
        .toByteArray();
  }

  private Service host(Dispatch dispatch) {
    Service service = new Service();
    engine.add(service.define(), dispatch).ready();
    return service;
  }

  private static long payload(byte[] body) throws Exception {
    ByteBuffer in = ByteBuffer.wrap(body);
    long total = 0;
    while (in.hasRemaining()) {
      byte flags = in.get();
      byte[] message = new byte[in.getInt()];
      in.get(message);
      if (flags == 0) {
        total += StartResponse.parseFrom(message).getEvent().getData().getStdout().size();
      }
    }
    return total;
  }

  @Test
  void bothProtocolsShareOnePort() throws Exception {
    host(Dispatch.EVENT_LOOP);
    try (var http1 = new RawClient(engine.port());
        var http2 = new H2Client(engine.port())) {
      var call = http2.new Call(LIST, "application/grpc", true);
      call.send(new byte[0], true);
      assertThat(ListResponse.parseFrom(call.await().message()).getProcesses(0).getPid())
          .isEqualTo(7);
      assertThat(call.headers).containsEntry("content-type", "application/grpc");
      assertThat(call.trailers).containsEntry("grpc-status", "0");
      byte[] json = "{}".getBytes(StandardCharsets.UTF_8);
      assertThat(http1.send(ConnectTest.post(LIST, "application/json", json)).read().status())
          .isEqualTo(200);
    }
  }

  @Test
  void aThousandCallsRunOnOneConnection() throws Exception {
    host(Dispatch.BLOCKING);
    try (var client = new H2Client(engine.port())) {
      List<H2Client.Call> calls = new ArrayList<>();
      for (int i = 0; i < 1000; i++) {
        var call = client.new Call(LIST, "application/grpc", true);
        call.send(new byte[0], true);
        calls.add(call);
      }
      for (H2Client.Call call : calls) {
        assertThat(call.await().trailers).containsEntry("grpc-status", "0");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "application/grpc,EVENT_LOOP",
    "application/grpc,BLOCKING",
    "application/grpc-web+proto,EVENT_LOOP"
  })
  void aReaderThatPausesOnHttp2HoldsTheServiceAndLosesNothing(String type, Dispatch dispatch)
      throws Exception {
    Service service = host(dispatch);
    long total = 16 * 1024 * 1024;
    try (var client = new H2Client(engine.port())) {
      var call = client.new Call(START, type, false);
      call.send(request(total), true);
      service.blocked.get(60, TimeUnit.SECONDS);
      assertThat(service.sent.get())
          .isLessThan(3 * 1024 * 1024); // high water mark, window, one piece
      call.readAll();
      assertThat(payload(call.await().body.toByteArray())).isEqualTo(total);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aReaderThatPausesOnHttp1HoldsTheServiceAndLosesNothing(Dispatch dispatch) throws Exception {
    Service service = host(dispatch);
    long total = 32 * 1024 * 1024;
    try (var client = new RawClient(engine.port(), 64 * 1024)) {
      byte[] message = request(total);
      byte[] envelope =
          ByteBuffer.allocate(5 + message.length)
              .put((byte) 0)
              .putInt(message.length)
              .put(message)
              .array();
      client.send(ConnectTest.post(START, "application/connect+proto", envelope));
      service.blocked.get(60, TimeUnit.SECONDS);
      assertThat(service.sent.get()).isLessThan(10 * 1024 * 1024);
      assertThat(payload(client.read().body())).isEqualTo(total);
    }
  }

  @Test
  void aCancelledStreamIsSeenByTheService() throws Exception {
    Service service = host(Dispatch.EVENT_LOOP);
    try (var client = new H2Client(engine.port())) {
      var call = client.new Call(START, "application/grpc", true);
      call.send(request(-1), true);
      call.head.get(60, TimeUnit.SECONDS);
      long at = System.nanoTime();
      call.cancel();
      assertThat(service.cancelled.await(60, TimeUnit.SECONDS)).isTrue();
      assertThat(Duration.ofNanos(System.nanoTime() - at)).isLessThan(Duration.ofSeconds(20));
    }
  }

  @Test
  void aVanishedConnectionCancelsItsCalls() throws Exception {
    Service service = host(Dispatch.EVENT_LOOP);
    try (var client = new H2Client(engine.port())) {
      var call = client.new Call(START, "application/grpc", true);
      call.send(request(-1), true);
      call.head.get(60, TimeUnit.SECONDS);
    }
    assertThat(service.cancelled.await(60, TimeUnit.SECONDS)).isTrue();
  }

  @ParameterizedTest
  @EnumSource
  void aServiceThatThrowsEndsItsCallWithInternal(Dispatch dispatch) throws Exception {
    host(dispatch);
    try (var client = new H2Client(engine.port())) {
      var call = client.new Call(START, "application/grpc", true);
      call.send(request(-3), true);
      assertThat(call.await().trailers)
          .containsEntry("grpc-status", "13")
          .containsEntry("grpc-message", "internal error");
    }
  }

  @Test
  void aDeadlineEndsACallThatHangs() throws Exception {
    Service service = host(Dispatch.EVENT_LOOP);
    service.hanging = true;
    try (var client = new RawClient(engine.port())) {
      byte[] body = "{}".getBytes(StandardCharsets.UTF_8);
      var response =
          client
              .send(ConnectTest.post(LIST, "application/json", body, "Connect-Timeout-Ms: 50"))
              .read();
      assertThat(response.status()).isEqualTo(504);
      assertThat(response.text())
          .isEqualTo("{\"code\":\"deadline_exceeded\",\"message\":\"context deadline exceeded\"}");
      assertThat(service.cancelled.await(60, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void aDeadlineEndsACallThatIsHeldByItsReader() throws Exception {
    Service service = host(Dispatch.EVENT_LOOP);
    try (var client = new H2Client(engine.port())) {
      var call = client.new Call(START, "application/grpc", false, "grpc-timeout", "300m");
      call.send(request(64 * 1024 * 1024), true);
      service.blocked.get(60, TimeUnit.SECONDS);
      assertThat(service.cancelled.await(60, TimeUnit.SECONDS)).isTrue();
      call.readAll();
      assertThat(call.await().trailers).containsEntry("grpc-status", "4");
    }
  }

  @ParameterizedTest
  @CsvSource({"0,200", "-5,200", "12345678901,400", "soon,400", "1.5,400"})
  void timeoutsThatAreNoneOrNoNumbers(String header, int status) throws Exception {
    host(Dispatch.EVENT_LOOP);
    try (var client = new RawClient(engine.port())) {
      byte[] body = "{}".getBytes(StandardCharsets.UTF_8);
      var response =
          client
              .send(
                  ConnectTest.post(LIST, "application/json", body, "Connect-Timeout-Ms: " + header))
              .read();
      assertThat(response.status()).isEqualTo(status);
    }
  }

  @Test
  void aStreamedRequestMustHoldExactlyOneMessage() throws Exception {
    host(Dispatch.EVENT_LOOP);
    try (var client = new H2Client(engine.port())) {
      var none = client.new Call(START, "application/grpc", true);
      none.end();
      assertThat(none.await().trailers).containsEntry("grpc-status", "12");
      var two = client.new Call(START, "application/grpc", true);
      two.send(request(-1), false);
      two.send(request(-1), true);
      assertThat(two.await().trailers).containsEntry("grpc-status", "12");
    }
  }

  @Test
  void closingTheServerSaysGoAwayAndLetsCallsEnd() throws Exception {
    Service service = host(Dispatch.EVENT_LOOP);
    long total = 8 * 1024 * 1024;
    try (var client = new H2Client(engine.port())) {
      var call = client.new Call(START, "application/grpc", false);
      call.send(request(total), true);
      service.blocked.get(60, TimeUnit.SECONDS);
      var closing = CompletableFuture.runAsync(engine::close);
      assertThat(client.goAway.get(60, TimeUnit.SECONDS)).isZero();
      call.readAll();
      assertThat(payload(call.await().body.toByteArray())).isEqualTo(total);
      assertThat(call.trailers).containsEntry("grpc-status", "0");
      closing.get(60, TimeUnit.SECONDS);
    }
  }

  @ParameterizedTest
  @EnumSource
  void healthAndReflectionAreHostedAsTheyAre(Dispatch dispatch) throws Exception {
    engine.add(new HealthStatusManager().getHealthService().bindService(), dispatch);
    engine.add(ProtoReflectionServiceV1.newInstance().bindService(), dispatch);
    engine.add(new ProcessGrpc.ProcessImplBase() {}.bindService(), dispatch).ready();
    try (var client = new RawClient(engine.port())) {
      byte[] body = "{}".getBytes(StandardCharsets.UTF_8);
      var health =
          client
              .send(ConnectTest.post("/grpc.health.v1.Health/Check", "application/json", body))
              .read();
      assertThat(health.text()).isEqualTo("{\"status\":\"SERVING\"}");
      var reflection =
          client
              .send(
                  ConnectTest.post(
                      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                      "application/connect+json",
                      ConnectTest.envelope("{\"listServices\":\"\"}")))
              .read();
      assertThat(ConnectTest.envelopes(reflection.body()).toString())
          .contains("process.Process")
          .contains("grpc.health.v1.Health")
          .contains("grpc.reflection.v1.ServerReflection");
      var method =
          client.send(ConnectTest.post("/process.Process/List", "application/json", body)).read();
      assertThat(method.status()).isEqualTo(501);
    }
  }
}

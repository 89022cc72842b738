package dev.sandpiper.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.sandpiper.agent.http.RawClient;
import dev.sandpiper.proto.process.ListRequest;
import dev.sandpiper.proto.process.ListResponse;
import dev.sandpiper.proto.process.ProcessEvent;
import dev.sandpiper.proto.process.ProcessGrpc;
import dev.sandpiper.proto.process.ProcessInfo;
import dev.sandpiper.proto.process.StartRequest;
import dev.sandpiper.proto.process.StartResponse;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class ConnectTest {
  private TestRpc engine;

  @BeforeEach
  void start() throws IOException {
    engine = new TestRpc();
  }

  @AfterEach
  void stop() {
    engine.close();
  }

  private static final class Processes extends ProcessGrpc.ProcessImplBase {
    @Override
    public void list(ListRequest request, StreamObserver<ListResponse> observer) {
      observer.onNext(
          ListResponse.newBuilder().addProcesses(ProcessInfo.newBuilder().setPid(7)).build());
      observer.onCompleted();
    }

    @Override
    public void start(StartRequest request, StreamObserver<StartResponse> observer) {
      if (request.getProcess().getCmd().isEmpty()) {
        observer.onError(Status.INVALID_ARGUMENT.withDescription("no <cmd>").asRuntimeException());
        return;
      }
      for (int i = 0; i < 3; i++) {
        observer.onNext(
            StartResponse.newBuilder()
                .setEvent(
                    ProcessEvent.newBuilder()
                        .setData(
                            ProcessEvent.DataEvent.newBuilder()
                                .setStdout(ByteString.copyFromUtf8("hi" + i))))
                .build());
      }
      observer.onCompleted();
    }
  }

  static byte[] envelope(String json) {
    byte[] bytes = json.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(5 + bytes.length)
        .put((byte) 0)
        .putInt(bytes.length)
        .put(bytes)
        .array();
  }

  static byte[] post(String path, String type, byte[] body, String... headers) throws IOException {
    var out = new ByteArrayOutputStream();
    String head =
        "POST "
            + path
            + " HTTP/1.1\r\nHost: x\r\nContent-Type: "
            + type
            + "\r\nContent-Length: "
            + body.length
            + "\r\n"
            + String.join("", List.of(headers).stream().map(h -> h + "\r\n").toList())
            + "\r\n";
    out.write(head.getBytes(StandardCharsets.ISO_8859_1));
    out.write(body);
    return out.toByteArray();
  }

  static List<String> envelopes(byte[] body) throws IOException {
    var in = new DataInputStream(new ByteArrayInputStream(body));
    List<String> all = new ArrayList<>();
    while (in.available() > 0) {
      int flags = in.read();
      all.add(flags + " " + new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8));
    }
    return all;
  }

  @ParameterizedTest
  @EnumSource
  void answersUnaryCallsInJson(Dispatch dispatch) throws IOException {
    engine.add(new Processes().bindService(), dispatch).ready();
    try (var client = new RawClient(engine.port())) {
      for (int i = 0; i < 3; i++) {
        var response =
            client
                .send(
                    post(
                        "/process.Process/List",
                        "application/json",
                        "{}".getBytes(StandardCharsets.UTF_8)))
                .read();
        assertThat(response.status()).isEqualTo(200);
        assertThat(response.headers()).containsEntry("content-type", "application/json");
        assertThat(response.text()).isEqualTo("{\"processes\":[{\"pid\":7}]}");
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void streamsEventsInJson(Dispatch dispatch) throws IOException {
    engine.add(new Processes().bindService(), dispatch).ready();
    try (var client = new RawClient(engine.port())) {
      var response =
          client
              .send(
                  post(
                      "/process.Process/Start",
                      "application/connect+json",
                      envelope("{\"process\":{\"cmd\":\"x\"}}")))
              .read();
      assertThat(response.status()).isEqualTo(200);
      assertThat(envelopes(response.body()))
          .containsExactly(
              "0 {\"event\":{\"data\":{\"stdout\":\"aGkw\"}}}",
              "0 {\"event\":{\"data\":{\"stdout\":\"aGkx\"}}}",
              "0 {\"event\":{\"data\":{\"stdout\":\"aGky\"}}}",
              "2 {}");
      var failed =
          client
              .send(post("/process.Process/Start", "application/connect+json", envelope("{}")))
              .read();
      assertThat(failed.status()).isEqualTo(200);
      assertThat(envelopes(failed.body()))
          .containsExactly(
              "2 {\"error\":{\"code\":\"invalid_argument\",\"message\":\"no \\u003ccmd\\u003e\"}}");
    }
  }

  @Test
  void aRequestWaitsForItsServiceToBeRegistered() throws IOException {
    try (var client = new RawClient(engine.port())) {
      client.send(
          post("/process.Process/List", "application/json", "{}".getBytes(StandardCharsets.UTF_8)));
      engine.add(new Processes().bindService(), Dispatch.EVENT_LOOP).ready();
      assertThat(client.read().status()).isEqualTo(200);
      assertThat(client.send("GET /nothing HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(404);
      var wrongVerb = client.send("PUT /process.Process/List HTTP/1.1\nHost: x\n\n").read();
      assertThat(wrongVerb.status()).isEqualTo(405);
      assertThat(wrongVerb.headers()).containsEntry("allow", "POST");
      var wrongType = client.send(post("/process.Process/List", "text/plain", new byte[3])).read();
      assertThat(wrongType.status()).isEqualTo(415);
      assertThat(wrongType.headers().get("accept-post")).contains("application/json");
    }
  }

  @Test
  void aServiceMayBeMadeByItsFirstCall() throws IOException {
    AtomicInteger made = new AtomicInteger();
    engine
        .rpc()
        .addLater(
            "process.Process",
            () -> {
              made.incrementAndGet();
              return new Processes().bindService();
            },
            Dispatch.EVENT_LOOP);
    engine.ready();
    try (var client = new RawClient(engine.port())) {
      assertThat(client.send("GET /process HTTP/1.1\nHost: x\n\n").read().status()).isEqualTo(404);
      assertThat(client.send(post("/process.Other/List", "application/json", new byte[0])).read())
          .matches(response -> response.status() == 404);
      assertThat(made).hasValue(0);
      byte[] request = "{}".getBytes(StandardCharsets.UTF_8);
      for (int i = 0; i < 2; i++) {
        client.send(post("/process.Process/List", "application/json", request));
        assertThat(client.read().status()).isEqualTo(200);
      }
      client.send(post("/process.Process/None", "application/json", request));
      assertThat(client.read().status()).isEqualTo(404);
    }
    assertThat(engine.rpc().services()).hasSize(1);
    assertThat(made).hasValue(1);
  }

  @Test
  void reflectionSeesServicesThatNobodyCalled() {
    engine.rpc().addLater("process.Process", new Processes()::bindService, Dispatch.EVENT_LOOP);
    assertThat(engine.rpc().services())
        .extracting(service -> service.getServiceDescriptor().getName())
        .containsExactly("process.Process");
  }
}

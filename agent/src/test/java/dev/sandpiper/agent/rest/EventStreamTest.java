package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.http.HttpServer;
import dev.sandpiper.agent.http.HttpSettings;
import dev.sandpiper.agent.http.RawClient;
import dev.sandpiper.agent.http.Router;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class EventStreamTest {
  private final Router router = new Router();
  private final CountDownLatch closed = new CountDownLatch(1);
  private final CompletableFuture<EventStream> stream = new CompletableFuture<>();
  private HttpServer server;

  @BeforeEach
  void listen() throws IOException {
    server =
        new HttpServer(
            HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)), router);
    server.bind();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private void serve(Duration heartbeat, Function<EventStream, EventStream.Next> next) {
    router.route(
        "GET",
        "/events",
        exchange -> {
          EventStream events =
              new EventStream(
                  exchange,
                  heartbeat,
                  new EventStream.Source() {
                    @Override
                    public EventStream.Next next(EventStream out) {
                      return next.apply(out);
                    }

                    @Override
                    public void close() {
                      closed.countDown();
                    }
                  });
          stream.complete(events);
          events.start();
        });
  }

  private RawClient get() throws IOException {
    return new RawClient(server.port()).send("GET /events HTTP/1.1\nHost: x\n\n");
  }

  private String whole(Function<EventStream, EventStream.Next> next) throws IOException {
    serve(Duration.ofMinutes(1), next);
    try (var client = get()) {
      var answer = client.read();
      assertThat(answer.status()).isEqualTo(200);
      assertThat(answer.headers())
          .containsEntry("content-type", "text/event-stream")
          .containsEntry("cache-control", "no-store");
      return answer.text();
    }
  }

  @Test
  void eventsHaveNameDataAndId() throws IOException {
    String text =
        whole(events -> {
          events.event(null, null, "plain");
          events.event("exit", "7", "{}");
          events.event(null, "8", "");
          return EventStream.Next.END;
        });
    assertThat(text).isEqualTo("data: plain\n\nevent: exit\ndata: {}\nid: 7\n\ndata: \nid: 8\n\n");
  }

  @Test
  void everyKindOfLineEndBeginsALineOfData() throws IOException {
    String text =
        whole(events -> {
          events.event(null, null, "a\nb\r\nc\rd\n\né\r");
          events.begin(null);
          events.data("x\r");
          events.data("\ny");
          events.data("\n");
          events.data("z");
          events.end("1");
          return EventStream.Next.END;
        });
    assertThat(text)
        .isEqualTo(
            """
            data: a
            data: b
            data: c
            data: d
            data:\s
            data: é
            data:\s

            data: x
            data: y
            data: z
            id: 1

            """);
  }

  @Test
  void aSilentStreamShowsThatItLives() throws IOException {
    serve(Duration.ofMillis(20), _ -> EventStream.Next.WAIT);
    try (var client = get()) {
      client.readHead();
      for (int i = 0; i < 3; i++) {
        assertThat(new String(client.chunk(), StandardCharsets.UTF_8)).isEqualTo(": \n\n");
      }
    }
  }

  @Test
  void aSourceThatWaitsIsAskedAgainWhenWoken() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    serve(
        Duration.ofMinutes(1),
        events -> {
          int number = asked.incrementAndGet();
          events.event(null, null, Integer.toString(number));
          return number == 3 ? EventStream.Next.END : EventStream.Next.WAIT;
        });
    try (var client = get()) {
      client.readHead();
      assertThat(client.chunk()).asString().isEqualTo("data: 1\n\n");
      stream.get(60, TimeUnit.SECONDS).wake();
      assertThat(client.chunk()).asString().isEqualTo("data: 2\n\n");
      stream.get().wake();
      assertThat(client.chunk()).asString().isEqualTo("data: 3\n\n");
      assertThat(client.chunk()).isEmpty();
    }
    assertThat(closed.await(60, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void aClientThatDoesNotReadIsNotWrittenFor() throws Exception {
    AtomicInteger made = new AtomicInteger();
    String data = "x".repeat(1000);
    serve(
        Duration.ofMillis(1),
        events -> {
          while (!events.isFull()) {
            events.event(null, null, data);
            made.incrementAndGet();
          }
          return EventStream.Next.MORE;
        });
    try (var client = new RawClient(server.port(), 16 * 1024)) {
      client.send("GET /events HTTP/1.1\nHost: x\n\n");
      client.readHead();
      AtomicInteger before = new AtomicInteger(-1);
      Awaitility.await()
          .pollInterval(Duration.ofMillis(200))
          .until(() -> before.getAndSet(made.get()) == made.get());
      assertThat(made.get()).isBetween(1, 8000);
      int stopped = made.get();
      Awaitility.await()
          .until(() -> {
            client.chunk();
            return made.get() > stopped;
          });
    }
    assertThat(closed.await(60, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void whenTheClientLeavesTheSourceIsClosed() throws Exception {
    serve(Duration.ofMinutes(1), _ -> EventStream.Next.WAIT);
    try (var client = get()) {
      client.readHead();
      assertThat(closed.getCount()).isEqualTo(1);
    }
    assertThat(closed.await(60, TimeUnit.SECONDS)).isTrue();
  }
}

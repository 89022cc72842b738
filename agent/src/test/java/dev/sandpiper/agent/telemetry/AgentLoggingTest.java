package dev.sandpiper.agent.telemetry;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.LoggingEvent;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import net.logstash.logback.argument.StructuredArguments;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;
import org.slf4j.event.KeyValuePair;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

final class AgentLoggingTest {
  private static final JsonMapper JSON = new JsonMapper();

  private final LogQueue queue = AgentLogging.configure(Level.INFO);

  @AfterEach
  void silence() {
    AgentLogging.configure(Level.OFF);
  }

  private JsonNode next() {
    byte[] line = queue.poll();
    assertThat(line).isNotNull();
    String text = new String(line, StandardCharsets.UTF_8);
    assertThat(text).endsWith("\n").doesNotContain("\r");
    assertThat(text.indexOf('\n')).isEqualTo(text.length() - 1);
    return JSON.readTree(text);
  }

  @Test
  void aLineHasTheFieldsOfARecord() {
    LoggerFactory.getLogger("dev.sandpiper.Some")
        .atInfo()
        .addKeyValue("port", 49983)
        .addKeyValue("path", "/a\nb")
        .log("listening on {}", 49983);
    var line = next();
    assertThat(line.propertyNames())
        .containsExactly("@timestamp", "message", "logger", "thread", "level", "port", "path");
    assertThat(line.get("@timestamp").asString())
        .matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{3,9})?Z");
    assertThat(line.get("level").asString()).isEqualTo("INFO");
    assertThat(line.get("logger").asString()).isEqualTo("dev.sandpiper.Some");
    assertThat(line.get("message").asString()).isEqualTo("listening on 49983");
    assertThat(line.get("port").asInt()).isEqualTo(49983);
    assertThat(line.get("path").asString()).isEqualTo("/a\nb");
  }

  @Test
  void aPlainLineIsWhatTheLibraryWouldWrite() {
    var context = (LoggerContext) LoggerFactory.getILoggerFactory();
    var logger = context.getLogger("dev.sandpiper.Some");
    String text = "\u0000\u001f \"\\/\b\f\n\r\t\u007f é 你 \uD83D\uDE00 {} end";
    for (String message : List.of("", "plain", text)) {
      var event =
          new LoggingEvent("x", logger, Level.WARN, message, null, new Object[] {"argument"});
      event.addKeyValuePair(new KeyValuePair("a\"b", "c\nd"));
      event.addKeyValuePair(new KeyValuePair("count", 12));
      event.addKeyValuePair(new KeyValuePair("bytes", -1L << 40));
      event.addKeyValuePair(new KeyValuePair("done", true));
      byte[] line = LineEncoder.encode(event);
      assertThat(line).isNotNull();
      byte[] library = AgentLogging.encoder(context).encode(event);
      assertThat(JSON.readTree(new String(line, StandardCharsets.UTF_8)))
          .isEqualTo(JSON.readTree(new String(library, StandardCharsets.UTF_8)));
    }
  }

  @Test
  void whatOnlyTheLibraryKnowsIsWrittenByIt() {
    LoggerFactory.getLogger("x").atInfo().addKeyValue("list", List.of(1, 2)).log("m");
    assertThat(next().get("list").size()).isEqualTo(2);
    LoggerFactory.getLogger("x").info("{}", StructuredArguments.keyValue("k", List.of("v")));
    assertThat(next().get("k").get(0).asString()).isEqualTo("v");
  }

  @Test
  void aStackTraceIsOneField() {
    LoggerFactory.getLogger("x").error("failed", new IllegalStateException("why"));
    assertThat(next().get("stack_trace").asString())
        .startsWith("java.lang.IllegalStateException: why\n");
  }

  @Test
  void whatIsBelowTheLevelIsNotQueued() {
    LoggerFactory.getLogger("x").debug("detail");
    assertThat(queue.poll()).isNull();
  }

  @Test
  void aFullQueueDropsNewLinesAndCountsThem() {
    var wakes = new AtomicInteger();
    queue.onLine(wakes::incrementAndGet);
    var logger = LoggerFactory.getLogger("x");
    for (int i = 0; i < LogQueue.MOST_LINES + 5; i++) {
      logger.info("line {}", i);
    }
    assertThat(queue.size()).isEqualTo(LogQueue.MOST_LINES);
    assertThat(queue.takeDropped()).isEqualTo(5);
    assertThat(queue.takeDropped()).isZero();
    assertThat(wakes).hasValue(LogQueue.MOST_LINES + 5);
    assertThat(next().get("message").asString()).isEqualTo("line 0");
    logger.info("again");
    assertThat(queue.takeDropped()).isZero();
  }

  @Test
  void aFewHugeLinesFillTheQueueToo() {
    var logger = LoggerFactory.getLogger("x");
    String huge = "x".repeat(300_000);
    for (int i = 0; i < 5; i++) {
      logger.info(huge);
    }
    assertThat(queue.size()).isEqualTo(3);
    assertThat(queue.takeDropped()).isEqualTo(2);
  }
}

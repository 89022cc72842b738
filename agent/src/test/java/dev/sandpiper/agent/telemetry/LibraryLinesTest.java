package dev.sandpiper.agent.telemetry;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import java.io.IOException;
import java.util.logging.LogManager;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class LibraryLinesTest {
  private static final Logger LIBRARY = Logger.getLogger("some.library");

  @AfterEach
  void asBefore() throws IOException {
    System.clearProperty("java.util.logging.config.class");
    LogManager.getLogManager().readConfiguration();
    AgentLogging.configure(Level.OFF);
    System.clearProperty("java.util.logging.config.class");
  }

  @Test
  void whatLibrariesSayIsALineOfTheAgentsLog() throws Exception {
    LogQueue queue = AgentLogging.configure(Level.WARN);
    // What the logging system does with the property when it is first used, which was long ago
    // here.
    Class.forName(System.getProperty("java.util.logging.config.class"))
        .getConstructor()
        .newInstance();

    LIBRARY.info("not wanted");
    LIBRARY.log(java.util.logging.Level.WARNING, "{0} of {1}", new Object[] {"one", "two"});
    LIBRARY.log(java.util.logging.Level.SEVERE, "broken", new IllegalStateException("on purpose"));

    assertThat(next(queue))
        .contains("\"level\":\"WARN\"", "\"logger\":\"some.library\"", "one of two");
    assertThat(next(queue)).contains("\"level\":\"ERROR\"", "\"message\":\"broken\"", "on purpose");
    assertThat(queue.isEmpty()).isTrue();
  }

  private static String next(LogQueue queue) {
    byte[] line = queue.poll();
    return line == null ? "nothing" : new String(line, UTF_8);
  }
}

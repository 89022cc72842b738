package dev.sandpiper.agent.telemetry;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.logging.Formatter;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Makes lines of the agent's log from what libraries say through `java.util.logging`, as grpc-java and protobuf do.
///
/// That system asks for its set-up when it is first used, and finds the name of [Setup] in a system property. So a start
/// in which nobody says anything that way loads none of this.
public final class LibraryLines extends Handler {
  /// Found by name. Public for that alone.
  public static final class Setup {
    public Setup() throws IOException {
      String text = "handlers=" + LibraryLines.class.getName() + "\n.level=INFO\n";
      LogManager.getLogManager()
          .readConfiguration(new ByteArrayInputStream(text.getBytes(StandardCharsets.ISO_8859_1)));
    }
  }

  private static final class Text extends Formatter {
    @Override
    public String format(LogRecord line) {
      return formatMessage(line); // with its parameters in place
    }
  }

  private final Formatter text = new Text();

  /// Called by the logging system.
  public LibraryLines() {}

  /// To be called before the first use of `java.util.logging`.
  static void install() {
    System.setProperty("java.util.logging.config.class", Setup.class.getName());
  }

  @Override
  public void publish(LogRecord line) {
    String name = line.getLoggerName();
    Logger log = LoggerFactory.getLogger(name == null ? "library" : name);
    int level = line.getLevel().intValue();
    if (level >= Level.SEVERE.intValue()) {
      log.error("{}", text.format(line), line.getThrown());
    } else if (level >= Level.WARNING.intValue()) {
      log.warn("{}", text.format(line), line.getThrown());
    } else if (level >= Level.INFO.intValue()) {
      log.info("{}", text.format(line), line.getThrown());
    } else {
      log.debug("{}", text.format(line), line.getThrown());
    }
  }

  @Override
  public void flush() {}

  @Override
  public void close() {}
}

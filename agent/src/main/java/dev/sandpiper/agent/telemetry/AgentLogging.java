package dev.sandpiper.agent.telemetry;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.UnsynchronizedAppenderBase;
import net.logstash.logback.encoder.LogstashEncoder;
import net.logstash.logback.fieldnames.LogstashCommonFieldNames;
import net.logstash.logback.fieldnames.LogstashFieldNames;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/// Sets Logback up: every log line goes to one [LogQueue], and nowhere else.
///
/// A line has the names that records have: `@timestamp`, `level`, `logger`, `message`, then `thread`, what the line
/// adds as key and value, and `stack_trace`. What Logback has to say about itself goes to standard error.
public final class AgentLogging {
  private AgentLogging() {}

  /// Sends everything from `level` up to a new queue, and to no earlier one. Called before the first line is logged.
  public static LogQueue configure(Level level) {
    LibraryLines.install();
    var context = (LoggerContext) LoggerFactory.getILoggerFactory();
    var queue = new LogQueue(new LazyEncoder(context)::encode);
    var appender = new QueueAppender(queue);
    appender.setName("queue");
    appender.setContext(context);
    appender.start();
    var root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.setLevel(level);
    root.detachAndStopAllAppenders();
    root.addAppender(appender);
    return queue;
  }

  static LogstashEncoder encoder(LoggerContext context) {
    var names = new LogstashFieldNames();
    names.setLogger("logger");
    names.setThread("thread");
    names.setVersion(LogstashCommonFieldNames.IGNORE_FIELD_INDICATOR);
    names.setLevelValue(LogstashCommonFieldNames.IGNORE_FIELD_INDICATOR);
    var encoder = new LogstashEncoder();
    encoder.setContext(context);
    encoder.setFieldNames(names);
    encoder.setTimeZone("UTC");
    encoder.setTimestampPattern("[ISO_INSTANT]"); // a pattern of letters would load locale data
    encoder.setFindAndRegisterJacksonModules(
        false); // a search through the class path that finds none
    encoder.start();
    return encoder;
  }

  private static final class QueueAppender extends UnsynchronizedAppenderBase<ILoggingEvent> {
    private final LogQueue queue;

    QueueAppender(LogQueue queue) {
      this.queue = queue;
    }

    @Override
    protected void append(ILoggingEvent event) {
      queue.offer(event);
    }
  }

  /// The library's encoder is made for the first line that needs it, on the thread that takes the line.
  private static final class LazyEncoder {
    private final LoggerContext context;
    private @Nullable LogstashEncoder encoder;

    LazyEncoder(LoggerContext context) {
      this.context = context;
    }

    byte[] encode(ILoggingEvent event) {
      byte[] line = LineEncoder.encode(event);
      if (line != null) {
        return line;
      }
      var ready = encoder;
      if (ready == null) {
        ready = encoder(context);
        encoder = ready;
      }
      return ready.encode(event);
    }
  }
}

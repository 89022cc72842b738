package dev.sandpiper.agent.telemetry;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.KeyValuePair;

/// Writes the lines that the agent itself logs: text, an exception at most, keys with text or numbers. Same fields and order as
/// the library's encoder, which takes what is beyond that.
///
/// It is here because the library's brings Jackson: 700 classes, 8 MiB of an idle agent's memory, for one line in a
/// sandbox where nothing goes wrong.
final class LineEncoder {
  private static final char[] HEX = "0123456789abcdef".toCharArray();

  private LineEncoder() {}

  /// The line as UTF-8 with its line end; null where it has something that only the library's encoder knows.
  static byte @Nullable [] encode(ILoggingEvent event) {
    if (!isPlain(event)) {
      return null;
    }
    String message = event.getFormattedMessage();
    StringBuilder line = new StringBuilder(message.length() + 200);
    line.append("{\"@timestamp\":\"").append(event.getInstant()).append('"');
    text(line, "message", message);
    text(line, "logger", event.getLoggerName());
    text(line, "thread", event.getThreadName());
    text(line, "level", event.getLevel().toString());
    IThrowableProxy thrown = event.getThrowableProxy();
    if (thrown != null) {
      text(line, "stack_trace", ThrowableProxyUtil.asString(thrown));
    }
    if (event.getKeyValuePairs() != null) {
      for (KeyValuePair pair : event.getKeyValuePairs()) {
        if (pair.value instanceof String value) {
          text(line, pair.key, value);
        } else {
          line.append(',');
          quote(line, pair.key);
          line.append(':').append(pair.value);
        }
      }
    }
    // A half of a surrogate pair becomes '?', so this is UTF-8 whatever was logged.
    return line.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
  }

  private static boolean isPlain(ILoggingEvent event) {
    if (event.getMarkerList() != null || !event.getMDCPropertyMap().isEmpty()) {
      return false;
    }
    Object[] arguments = event.getArgumentArray();
    if (arguments != null) {
      for (Object argument : arguments) {
        // An argument that is a field, too.
        if (argument != null && argument.getClass().getName().startsWith("net.logstash.")) {
          return false;
        }
      }
    }
    if (event.getKeyValuePairs() != null) {
      for (KeyValuePair pair : event.getKeyValuePairs()) {
        boolean simple =
            pair.value instanceof String
                || pair.value instanceof Integer
                || pair.value instanceof Long
                || pair.value instanceof Boolean;
        if (!simple) {
          return false;
        }
      }
    }
    return true;
  }

  private static void text(StringBuilder line, String name, String value) {
    line.append(',');
    quote(line, name);
    line.append(':');
    quote(line, value);
  }

  private static void quote(StringBuilder line, String text) {
    line.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '"', '\\' -> line.append('\\').append(c);
        case '\n' -> line.append("\\n");
        case '\r' -> line.append("\\r");
        case '\t' -> line.append("\\t");
        default -> {
          if (c < ' ') {
            line.append("\\u00").append(HEX[c >> 4]).append(HEX[c & 15]);
          } else {
            line.append(c);
          }
        }
      }
    }
    line.append('"');
  }
}

package dev.sandpiper.agent.cli;

import java.util.Locale;

/// One flat JSON object on one line (RFC 8259), for scripts. Empty texts are left out.
final class JsonLine {
  private final StringBuilder text = new StringBuilder(256).append('{');

  JsonLine with(String name, String value) {
    if (!value.isEmpty()) {
      name(name);
      quote(value);
    }
    return this;
  }

  /// Also when it is empty.
  JsonLine always(String name, String value) {
    name(name);
    quote(value);
    return this;
  }

  JsonLine with(String name, long value) {
    name(name);
    text.append(value);
    return this;
  }

  JsonLine with(String name, boolean value) {
    name(name);
    text.append(value);
    return this;
  }

  JsonLine with(String name, Iterable<String> values) {
    name(name);
    text.append('[');
    var separator = "";
    for (var value : values) {
      text.append(separator);
      quote(value);
      separator = ",";
    }
    text.append(']');
    return this;
  }

  private void name(String name) {
    if (text.length() > 1) {
      text.append(',');
    }
    quote(name);
    text.append(':');
  }

  private void quote(String value) {
    text.append('"');
    for (var i = 0; i < value.length(); i++) {
      var character = value.charAt(i);
      switch (character) {
        case '"', '\\' -> text.append('\\').append(character);
        case '\n' -> text.append("\\n");
        case '\r' -> text.append("\\r");
        case '\t' -> text.append("\\t");
        default -> {
          if (character < ' ') {
            text.append(String.format(Locale.ROOT, "\\u%04x", (int) character));
          } else {
            text.append(character);
          }
        }
      }
    }
    text.append('"');
  }

  @Override
  public String toString() {
    return text + "}";
  }
}

package dev.sandpiper.tests.harness;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// A JSON value, read strictly after RFC 8259: no duplicate keys, no raw control characters, nothing after the value,
/// and only well-formed UTF-8. Written for the tests, so that they do not judge the agent with the agent's own library.
public sealed interface Json {
  record Obj(Map<String, Json> members) implements Json {}

  record Arr(List<Json> items) implements Json {}

  record Str(String value) implements Json {}

  record Num(String text) implements Json {}

  record Bool(boolean value) implements Json {}

  record Null() implements Json {}

  static Json parse(byte[] utf8) {
    try {
      return parse(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString());
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(
          "not UTF-8: " + new String(utf8, StandardCharsets.ISO_8859_1), e);
    }
  }

  static Json parse(String text) {
    return new Parser(text).document();
  }

  static String quote(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < 0x20) {
        out.append(String.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }

  default Map<String, Json> object() {
    if (this instanceof Obj(Map<String, Json> members)) {
      return members;
    }
    throw new AssertionError("not an object: " + this);
  }

  default List<Json> array() {
    if (this instanceof Arr(List<Json> items)) {
      return items;
    }
    throw new AssertionError("not an array: " + this);
  }

  default boolean has(String key) {
    return object().containsKey(key);
  }

  default Json get(String key) {
    Json value = object().get(key);
    if (value == null) {
      throw new AssertionError("no member '" + key + "' in " + this);
    }
    return value;
  }

  default String string(String key) {
    if (get(key) instanceof Str(String value)) {
      return value;
    }
    throw new AssertionError("member '" + key + "' is no string in " + this);
  }

  default long number(String key) {
    if (get(key) instanceof Num(String text)) {
      return Long.parseLong(text);
    }
    throw new AssertionError("member '" + key + "' is no number in " + this);
  }

  /// One pass over the text; every error names the place.
  final class Parser {
    private static final Pattern NUMBER =
        Pattern.compile("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?");

    private final String text;
    private int at;

    Parser(String text) {
      this.text = text;
    }

    Json document() {
      Json value = value();
      space();
      if (at != text.length()) {
        throw error("something after the value");
      }
      return value;
    }

    private Json value() {
      space();
      return switch (peek()) {
        case '{' -> objectValue();
        case '[' -> arrayValue();
        case '"' -> new Str(stringValue());
        case 't' -> word("true", new Bool(true));
        case 'f' -> word("false", new Bool(false));
        case 'n' -> word("null", new Null());
        default -> numberValue();
      };
    }

    private Json objectValue() {
      Map<String, Json> members = new LinkedHashMap<>();
      at++;
      space();
      if (peek() == '}') {
        at++;
        return new Obj(members);
      }
      while (true) {
        space();
        String key = stringValue();
        space();
        expect(':');
        if (members.put(key, value()) != null) {
          throw error("key '" + key + "' for the second time");
        }
        space();
        if (peek() == '}') {
          at++;
          return new Obj(members);
        }
        expect(',');
      }
    }

    private Json arrayValue() {
      List<Json> items = new ArrayList<>();
      at++;
      space();
      if (peek() == ']') {
        at++;
        return new Arr(items);
      }
      while (true) {
        items.add(value());
        space();
        if (peek() == ']') {
          at++;
          return new Arr(items);
        }
        expect(',');
      }
    }

    private Json word(String word, Json value) {
      if (!text.startsWith(word, at)) {
        throw error("no value");
      }
      at += word.length();
      return value;
    }

    private Json numberValue() {
      int from = at;
      while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
        at++;
      }
      String number = text.substring(from, at);
      if (!NUMBER.matcher(number).matches()) {
        throw error("no value");
      }
      return new Num(number);
    }

    private String stringValue() {
      expect('"');
      StringBuilder out = null;
      int plainFrom = at;
      while (true) {
        char c = peek();
        if (c == '"') {
          String tail = text.substring(plainFrom, at++);
          return out == null ? tail : out.append(tail).toString();
        }
        if (c < 0x20) {
          throw error("control character in a string");
        }
        at++;
        if (c == '\\') {
          if (out == null) {
            out = new StringBuilder();
          }
          out.append(text, plainFrom, at - 1).append(escape());
          plainFrom = at;
        }
      }
    }

    private char escape() {
      char c = peek();
      at++;
      return switch (c) {
        case '"', '\\', '/' -> c;
        case 'b' -> '\b';
        case 'f' -> '\f';
        case 'n' -> '\n';
        case 'r' -> '\r';
        case 't' -> '\t';
        case 'u' -> {
          if (at + 4 > text.length()) {
            throw error("cut escape");
          }
          at += 4;
          yield (char) Integer.parseInt(text, at - 4, at, 16);
        }
        default -> throw error("unknown escape");
      };
    }

    private void space() {
      while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
        at++;
      }
    }

    private char peek() {
      if (at >= text.length()) {
        throw error("end of text");
      }
      return text.charAt(at);
    }

    private void expect(char c) {
      if (peek() != c) {
        throw error("expected '" + c + "'");
      }
      at++;
    }

    private IllegalArgumentException error(String what) {
      String shown = text.length() > 400 ? text.substring(0, 400) + "…" : text;
      return new IllegalArgumentException(what + " at " + at + " of: " + shown);
    }
  }
}

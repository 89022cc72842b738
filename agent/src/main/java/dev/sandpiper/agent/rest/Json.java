package dev.sandpiper.agent.rest;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A JSON value as it was written, for small bodies whose fields are read by hand: names of any case, whether a string was
/// escaped. Bytes that are not UTF-8, and unpaired surrogates, become U+FFFD.
sealed interface Json {
  /// A string.
  ///
  /// @param escaped whether it was written with a backslash anywhere
  record Text(String value, boolean escaped) implements Json {}

  record Numeral(String text) implements Json {}

  record Truth(boolean value) implements Json {}

  record Nothing() implements Json {}

  record Items(List<Json> items) implements Json {}

  record Member(String name, Json value) {}

  record Members(List<Member> members) implements Json {
    /// The last member of this name, whatever its case; null if there is none or it is `null`.
    @Nullable Json find(String name) {
      Json found = null;
      for (Member member : members) {
        if (member.name().equalsIgnoreCase(name)) {
          found = member.value();
        }
      }
      return found instanceof Nothing ? null : found;
    }
  }

  /// What is not JSON.
  final class Malformed extends Exception {
    private static final long serialVersionUID = 1L;

    Malformed(String message) {
      super(message);
    }
  }

  /// Reads one value with nothing but white space around it.
  static Json parse(byte[] utf8) throws Malformed {
    return new Parser(new String(utf8, StandardCharsets.UTF_8)).whole();
  }

  /// Recursive descent (RFC 8259), at most [#MAX_DEPTH] levels.
  final class Parser {
    private static final int MAX_DEPTH = 64;

    private final String text;
    private int at;
    private int depth;

    private Parser(String text) {
      this.text = text;
    }

    private Json whole() throws Malformed {
      Json value = value();
      skipSpace();
      if (at < text.length()) {
        throw problem("something behind the value");
      }
      return value;
    }

    private Json value() throws Malformed {
      skipSpace();
      char c = peek();
      return switch (c) {
        case '{' -> members();
        case '[' -> items();
        case '"' -> string();
        case 't' -> word("true", new Truth(true));
        case 'f' -> word("false", new Truth(false));
        case 'n' -> word("null", new Nothing());
        default -> numeral();
      };
    }

    private Json members() throws Malformed {
      enter();
      List<Member> members = new ArrayList<>();
      if (!closes('}')) {
        do {
          skipSpace();
          String name = string().value();
          skipSpace();
          expect(':');
          members.add(new Member(name, value()));
        } while (continues('}'));
      }
      depth--;
      return new Members(members);
    }

    private Json items() throws Malformed {
      enter();
      List<Json> items = new ArrayList<>();
      if (!closes(']')) {
        do {
          items.add(value());
        } while (continues(']'));
      }
      depth--;
      return new Items(items);
    }

    private void enter() throws Malformed {
      at++;
      if (++depth > MAX_DEPTH) {
        throw problem("more than " + MAX_DEPTH + " levels");
      }
    }

    private boolean closes(char end) throws Malformed {
      skipSpace();
      if (peek() == end) {
        at++;
        return true;
      }
      return false;
    }

    private boolean continues(char end) throws Malformed {
      skipSpace();
      char c = peek();
      if (c != ',' && c != end) {
        throw problem("neither ',' nor '" + end + "'");
      }
      at++;
      return c == ',';
    }

    private Text string() throws Malformed {
      expect('"');
      StringBuilder value = new StringBuilder();
      boolean escaped = false;
      while (true) {
        char c = peek();
        at++;
        if (c == '"') {
          return new Text(paired(value), escaped);
        } else if (c < ' ') {
          throw problem("a control character in a string");
        } else if (c == '\\') {
          escaped = true;
          value.append(escape());
        } else {
          value.append(c);
        }
      }
    }

    private char escape() throws Malformed {
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
          int unit = 0;
          for (int i = 0; i < 4; i++) {
            int digit = hexDigit(peek());
            if (digit < 0) {
              throw problem("not four hexadecimal digits");
            }
            unit = unit * 16 + digit;
            at++;
          }
          yield (char) unit;
        }
        default -> throw problem("an unknown escape");
      };
    }

    private static int hexDigit(char c) {
      return c < 128 ? Character.digit(c, 16) : -1; // the digits of other scripts are none here
    }

    private static String paired(StringBuilder text) {
      for (int i = 0; i < text.length(); i++) {
        char c = text.charAt(i);
        if (Character.isHighSurrogate(c)
            && i + 1 < text.length()
            && Character.isLowSurrogate(text.charAt(i + 1))) {
          i++;
        } else if (Character.isSurrogate(c)) {
          text.setCharAt(i, '\ufffd');
        }
      }
      return text.toString();
    }

    private Json word(String word, Json value) throws Malformed {
      if (!text.startsWith(word, at)) {
        throw problem("no value");
      }
      at += word.length();
      return value;
    }

    private Json numeral() throws Malformed {
      int from = at;
      if (peek() == '-') {
        at++;
      }
      if (digits() > 1 && text.charAt(from + (text.charAt(from) == '-' ? 1 : 0)) == '0') {
        throw problem("a number with a zero in front");
      }
      if (at < text.length() && text.charAt(at) == '.') {
        at++;
        digits();
      }
      if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
        at++;
        if (peek() == '+' || peek() == '-') {
          at++;
        }
        digits();
      }
      return new Numeral(text.substring(from, at));
    }

    private int digits() throws Malformed {
      int from = at;
      while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
        at++;
      }
      if (at == from) {
        throw problem("no value");
      }
      return at - from;
    }

    private void skipSpace() {
      while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
        at++;
      }
    }

    private char peek() throws Malformed {
      if (at >= text.length()) {
        throw problem("an early end");
      }
      return text.charAt(at);
    }

    private void expect(char c) throws Malformed {
      if (peek() != c) {
        throw problem("no '" + c + "'");
      }
      at++;
    }

    private Malformed problem(String what) {
      return new Malformed(
          "not JSON: " + what + " at character " + at); // and never the text itself
    }
  }
}

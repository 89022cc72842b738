package dev.sandpiper.agent.http;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The parameters of a query string (`application/x-www-form-urlencoded`: `+` is a space), asked for by name.
///
/// Parsing itself never fails. What is wrong with a parameter (repeated, a broken percent escape, not UTF-8) is said when
/// it is asked for, so that a parameter nobody knows does no harm. Immutable.
public final class Query {
  private record Pair(String name, String rawValue) {}

  private final List<Pair> pairs;

  private Query(List<Pair> pairs) {
    this.pairs = pairs;
  }

  /// Takes a query string apart.
  ///
  /// @param query what follows the `?`, as sent; null without a `?` (see [HttpExchange#query])
  public static Query parse(@Nullable String query) {
    List<Pair> pairs = new ArrayList<>(4);
    int from = 0;
    int length = query == null ? 0 : query.length();
    while (query != null && from < length) {
      int and = query.indexOf('&', from);
      int to = and < 0 ? length : and;
      if (to > from) {
        int equals = query.indexOf('=', from);
        int nameEnd = equals < 0 || equals > to ? to : equals;
        String name = decodeOrNull(query.substring(from, nameEnd));
        if (name != null) {
          pairs.add(new Pair(name, nameEnd == to ? "" : query.substring(nameEnd + 1, to)));
        }
      }
      from = to + 1;
    }
    return new Query(pairs);
  }

  /// Of the parameters that are there, each once; without those whose name cannot be decoded.
  public Set<String> names() {
    Set<String> names = new LinkedHashSet<>();
    pairs.forEach(pair -> names.add(pair.name));
    return names;
  }

  /// The value of a parameter that may be given once; empty where it is not given at all. `name` and `name=` are the empty
  /// value.
  ///
  /// @throws BadQueryException where it is given more than once, or cannot be decoded
  public Optional<String> one(String name) throws BadQueryException {
    String raw = null;
    for (Pair pair : pairs) {
      if (pair.name.equals(name)) {
        if (raw != null) {
          throw bad(name, "it is given more than once");
        }
        raw = pair.rawValue;
      }
    }
    return raw == null ? Optional.empty() : Optional.of(decode(name, raw));
  }

  /// The same for a parameter that must be a whole decimal number.
  ///
  /// @throws BadQueryException also where it is not a number of 64 bits
  public OptionalLong number(String name) throws BadQueryException {
    Optional<String> value = one(name);
    if (value.isEmpty()) {
      return OptionalLong.empty();
    }
    try {
      return OptionalLong.of(Long.parseLong(value.get()));
    } catch (NumberFormatException _) {
      throw bad(name, "'" + value.get() + "' is not a whole number");
    }
  }

  /// One segment of a path, percent-decoded; as it was sent where it cannot be decoded.
  static String decodeSegment(String raw) {
    String decoded = raw.indexOf('%') < 0 ? raw : decodeOrNull(raw.replace("+", "%2B"));
    return decoded == null ? raw : decoded;
  }

  private static BadQueryException bad(String name, String reason) {
    return new BadQueryException("Invalid format for parameter " + name + ": " + reason);
  }

  private static @Nullable String decodeOrNull(String raw) {
    try {
      return decode("", raw);
    } catch (BadQueryException _) {
      return null; // nobody can have asked for a parameter of such a name
    }
  }

  private static String decode(String name, String raw) throws BadQueryException {
    if (isPlain(raw)) {
      return raw;
    }
    // A character above 0x7F is a byte that the client has not escaped.
    byte[] bytes = new byte[raw.length()];
    int length = 0;
    for (int i = 0; i < raw.length(); i++) {
      char c = raw.charAt(i);
      if (c == '%') {
        int high = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 1), 16) : -1;
        int low = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 2), 16) : -1;
        if (high < 0 || low < 0) {
          String escape = raw.substring(i, Math.min(raw.length(), i + 3));
          throw bad(name, "invalid URL escape \"" + escape + "\"");
        }
        bytes[length++] = (byte) (high << 4 | low);
        i += 2;
      } else {
        bytes[length++] = (byte) (c == '+' ? ' ' : c);
      }
    }
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(bytes, 0, length))
          .toString();
    } catch (CharacterCodingException _) {
      throw bad(name, "it is not UTF-8");
    }
  }

  private static boolean isPlain(String raw) {
    for (int i = 0; i < raw.length(); i++) {
      char c = raw.charAt(i);
      if (c == '%' || c == '+' || c > 0x7F) {
        return false;
      }
    }
    return true;
  }
}

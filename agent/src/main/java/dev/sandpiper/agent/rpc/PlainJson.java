package dev.sandpiper.agent.rpc;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// Reads the JSON that clients send as a rule: known members of strings, truth values, small numbers, objects, lists and maps of strings.
///
/// It is written over into protobuf's binary form, which the generated code reads without reflection. A short `Start`, code of the
/// first compiler, again and again: 0.6 µs of CPU this way, 4.9 with protobuf's JSON parser, which took 5 % of the socket loop's
/// time of a start. None of that parser's classes, nor Gson's, are loaded for it.
///
/// Whatever is not plain, wrong input above all, is not judged here: the answer is null, and the real parser reads it from the
/// beginning, so there is one place that knows the whole mapping and words its errors.
///
/// Thread-safe.
final class PlainJson {
  /// Deeper than any request.
  private static final int MAX_DEPTH = 8;

  /// More digits are for a parser that knows where each type ends.
  private static final int MAX_DIGITS = 9;

  private static final int LENGTH_DELIMITED = 2;

  private final Map<Descriptor, Map<String, Field>> tables = new ConcurrentHashMap<>();

  private enum Kind {
    STRING,
    STRINGS,
    STRING_MAP,
    BOOL,
    NUMBER,
    OBJECT
  }

  /// @param type of an object's own fields; null for others
  private record Field(int number, int index, Kind kind, @Nullable Descriptor type) {}

  /// The message, or null when this is not for here.
  @Nullable Message read(Message prototype, byte[] json) {
    var reading = new Reading(json);
    if (!reading.object(prototype.getDescriptorForType(), 0) || !reading.atEnd()) {
      return null;
    }
    try {
      return prototype.getParserForType().parseFrom(reading.out, 0, reading.length);
    } catch (InvalidProtocolBufferException notUtf8) {
      return null; // the other parser says what is wrong
    }
  }

  private Map<String, Field> table(Descriptor type) {
    Map<String, Field> known = tables.get(type);
    return known != null ? known : tables.computeIfAbsent(type, PlainJson::tableOf);
  }

  private static Map<String, Field> tableOf(Descriptor type) {
    Map<String, Field> fields = new HashMap<>();
    for (FieldDescriptor field : type.getFields()) {
      Kind kind = kind(field);
      // Up to 64 of them are told apart when they come twice.
      if (kind != null && field.getIndex() < Long.SIZE) {
        Descriptor nested = kind == Kind.OBJECT ? field.getMessageType() : null;
        var entry = new Field(field.getNumber(), field.getIndex(), kind, nested);
        fields.put(field.getJsonName(), entry);
        fields.put(field.getName(), entry);
      }
    }
    return fields;
  }

  /// Null for what is left to the other parser.
  private static @Nullable Kind kind(FieldDescriptor field) {
    if (field.getRealContainingOneof() != null) {
      return null;
    }
    if (field.isMapField()) {
      boolean strings =
          field.getMessageType().getFields().stream()
              .allMatch(part -> part.getType() == FieldDescriptor.Type.STRING);
      return strings ? Kind.STRING_MAP : null;
    }
    if (field.isRepeated()) {
      return field.getType() == FieldDescriptor.Type.STRING ? Kind.STRINGS : null;
    }
    return switch (field.getType()) {
      case STRING -> Kind.STRING;
      case BOOL -> Kind.BOOL;
      case INT32, UINT32, INT64, UINT64 -> Kind.NUMBER;
      // Protobuf's own types have a JSON form each.
      case MESSAGE ->
          field.getMessageType().getFullName().startsWith("google.") ? null : Kind.OBJECT;
      default -> null;
    };
  }

  /// One message on its way from one form to the other. Each method answers whether all was plain.
  private final class Reading {
    private final byte[] json;
    private int at;
    private byte[] out;
    private int length;

    Reading(byte[] json) {
      this.json = json;
      this.out = new byte[Math.max(64, json.length)];
    }

    boolean object(Descriptor type, int depth) {
      if (depth == MAX_DEPTH || !take('{')) {
        return false;
      }
      if (take('}')) {
        return true;
      }
      Map<String, Field> fields = table(type);
      long seen = 0;
      do {
        String name = name();
        Field field = name == null ? null : fields.get(name);
        if (field == null || (seen & (1L << field.index)) != 0 || !take(':')) {
          return false;
        }
        seen |= 1L << field.index;
        if (!value(field, depth)) {
          return false;
        }
      } while (take(','));
      return take('}');
    }

    private boolean value(Field field, int depth) {
      skipSpace();
      if (word("null")) {
        return true; // as if it were not there
      }
      return switch (field.kind) {
        case STRING -> string(field.number);
        case STRINGS -> strings(field.number);
        case STRING_MAP -> map(field.number);
        case BOOL -> bool(field.number);
        case NUMBER -> number(field.number);
        case OBJECT -> {
          if (field.type == null) {
            yield false;
          }
          tag(field.number, LENGTH_DELIMITED);
          int begin = length;
          boolean plain = object(field.type, depth + 1);
          putLength(begin);
          yield plain;
        }
      };
    }

    private boolean strings(int number) {
      if (!take('[')) {
        return false;
      }
      if (take(']')) {
        return true;
      }
      do {
        if (!string(number)) {
          return false;
        }
      } while (take(','));
      return take(']');
    }

    private boolean map(int number) {
      if (!take('{')) {
        return false;
      }
      if (take('}')) {
        return true;
      }
      Set<String> names = new HashSet<>();
      do {
        tag(number, LENGTH_DELIMITED);
        int begin = length;
        int nameAt = at;
        if (!string(1)
            || !names.add(new String(json, nameAt, at - nameAt, StandardCharsets.UTF_8).strip())) {
          return false;
        }
        if (!take(':') || !string(2)) {
          return false;
        }
        putLength(begin);
      } while (take(','));
      return take('}');
    }

    private boolean string(int number) {
      if (!take('"')) {
        return false;
      }
      tag(number, LENGTH_DELIMITED);
      int begin = length;
      reserve(json.length - at);
      while (at < json.length) {
        int b = json[at++];
        if (b == '"') {
          putLength(begin);
          return true;
        }
        if (b == '\\') {
          b = at < json.length ? escaped(json[at++]) : -1;
          if (b < 0) {
            return false;
          }
        } else if (b >= 0 && b < ' ') {
          return false;
        }
        out[length++] = (byte) b;
      }
      return false;
    }

    /// What stands for itself or is one byte; -1 for the rest.
    private static int escaped(int c) {
      return switch (c) {
        case '"', '\\', '/' -> c;
        case 'n' -> '\n';
        case 't' -> '\t';
        case 'r' -> '\r';
        case 'b' -> '\b';
        case 'f' -> '\f';
        default -> -1;
      };
    }

    private boolean bool(int number) {
      skipSpace();
      boolean yes = word("true");
      if (!yes && !word("false")) {
        return false;
      }
      tag(number, 0);
      varint(yes ? 1 : 0);
      return true;
    }

    private boolean word(String word) {
      if (json.length - at < word.length()) {
        return false;
      }
      for (int i = 0; i < word.length(); i++) {
        if (json[at + i] != word.charAt(i)) {
          return false;
        }
      }
      at += word.length();
      return true;
    }

    private boolean number(int number) {
      skipSpace();
      int begin = at;
      int value = 0;
      while (at < json.length && json[at] >= '0' && json[at] <= '9') {
        value = value * 10 + json[at++] - '0';
        if (at - begin > MAX_DIGITS) {
          return false;
        }
      }
      if (at == begin || (json[begin] == '0' && at - begin > 1)) {
        return false;
      }
      tag(number, 0);
      varint(value);
      return true; // a fraction or an exponent behind it is not what comes next, and refused there
    }

    private @Nullable String name() {
      if (!take('"')) {
        return null;
      }
      int begin = at;
      while (at < json.length && json[at] != '"') {
        if (json[at] == '\\'
            || json[at] < ' ') { // escapes, control characters, and all beyond ASCII
          return null;
        }
        at++;
      }
      return at == json.length
          ? null
          : new String(json, begin, at++ - begin, StandardCharsets.ISO_8859_1);
    }

    boolean atEnd() {
      skipSpace();
      return at == json.length;
    }

    private boolean take(char wanted) {
      skipSpace();
      if (at < json.length && json[at] == wanted) {
        at++;
        return true;
      }
      return false;
    }

    private void skipSpace() {
      while (at < json.length
          && (json[at] == ' ' || json[at] == '\n' || json[at] == '\t' || json[at] == '\r')) {
        at++;
      }
    }

    private void tag(int number, int wireType) {
      varint((number << 3) | wireType);
    }

    private void varint(int value) {
      reserve(5);
      int left = value;
      while (left > 0x7F) {
        out[length++] = (byte) (left | 0x80);
        left >>>= 7;
      }
      out[length++] = (byte) left;
    }

    /// Puts the length of what was written since `begin` before it.
    private void putLength(int begin) {
      int bytes = length - begin;
      int room = 1;
      for (int left = bytes >>> 7; left > 0; left >>>= 7) {
        room++;
      }
      reserve(room);
      System.arraycopy(out, begin, out, begin + room, bytes);
      length = begin;
      varint(bytes);
      length += bytes;
    }

    private void reserve(int more) {
      if (out.length - length < more) {
        out = Arrays.copyOf(out, Math.max(out.length * 2, length + more));
      }
    }
  }
}

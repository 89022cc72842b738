package dev.sandpiper.agent.journal;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Numbered fields of variable length, each `number, length, bytes`; numbers are variable-length too. A field that is 0 or empty is
/// left out; one that is left out reads as 0 or empty.
final class Fields {
  private Fields() {}

  static final class Writer {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream(256);

    void kind(byte kind) {
      out.write(kind);
    }

    void number(int field, long value) {
      if (value != 0) {
        ByteArrayOutputStream number = new ByteArrayOutputStream(10);
        varint(number, value);
        raw(field, number.toByteArray());
      }
    }

    /// Null is left out, which an empty text is not.
    void text(int field, @Nullable String text) {
      if (text != null) {
        raw(field, text.getBytes(StandardCharsets.UTF_8));
      }
    }

    void texts(int field, List<String> texts) {
      texts.forEach(text -> text(field, text));
    }

    void bytes(int field, Bytes bytes) {
      if (bytes.size() > 0) {
        raw(field, bytes.toArray());
      }
    }

    /// One field per entry, with fields 1 and 2 inside.
    void textMap(int field, Map<String, String> map) {
      map.forEach((key, value) -> {
        Writer entry = new Writer();
        entry.text(1, key);
        entry.text(2, value);
        raw(field, entry.toByteArray());
      });
    }

    void numberMap(int field, Map<String, Long> map) {
      map.forEach((key, value) -> {
        Writer entry = new Writer();
        entry.text(1, key);
        entry.number(2, value);
        raw(field, entry.toByteArray());
      });
    }

    private void raw(int field, byte[] bytes) {
      varint(out, field);
      varint(out, bytes.length);
      out.writeBytes(bytes);
    }

    byte[] toByteArray() {
      return out.toByteArray();
    }

    private static void varint(ByteArrayOutputStream to, long value) {
      long rest = value;
      while ((rest & ~0x7FL) != 0) {
        to.write((int) (rest & 0x7F) | 0x80);
        rest >>>= 7;
      }
      to.write((int) rest);
    }
  }

  /// Reads the whole first, so that fields may come in any order and unknown ones are passed over.
  static final class Reader {
    private final byte[] body;
    private int at;
    private final byte kind;
    private final Map<Long, List<byte[]>> fields = new HashMap<>();

    Reader(byte[] body) throws Malformed {
      this.body = body;
      if (body.length == 0) {
        throw new Malformed("empty entry");
      }
      kind = body[at++];
      readFields();
    }

    private Reader(byte[] body, int start) throws Malformed {
      this.body = body;
      this.kind = 0;
      this.at = start;
      readFields();
    }

    private void readFields() throws Malformed {
      while (at < body.length) {
        long field = varint();
        long length = varint();
        if (length < 0 || length > body.length - at) {
          throw new Malformed("field %d of %d bytes is cut".formatted(field, length));
        }
        byte[] value = new byte[(int) length];
        System.arraycopy(body, at, value, 0, value.length);
        at += value.length;
        fields.computeIfAbsent(field, _ -> new ArrayList<>(1)).add(value);
      }
    }

    byte kind() {
      return kind;
    }

    long number(long field) throws Malformed {
      byte[] value = last(field);
      return value == null ? 0 : new Reader(value, value.length).varintOf(value);
    }

    String text(long field) {
      String text = textOrNull(field);
      return text == null ? "" : text;
    }

    @Nullable String textOrNull(long field) {
      byte[] value = last(field);
      return value == null ? null : new String(value, StandardCharsets.UTF_8);
    }

    List<String> texts(long field) {
      return all(field).stream().map(value -> new String(value, StandardCharsets.UTF_8)).toList();
    }

    Bytes bytes(long field) {
      byte[] value = last(field);
      return value == null ? Bytes.EMPTY : Bytes.copyOf(value);
    }

    Map<String, String> textMap(long field) throws Malformed {
      Map<String, String> map = new LinkedHashMap<>();
      for (byte[] value : all(field)) {
        Reader entry = new Reader(value, 0);
        map.put(entry.text(1), entry.text(2));
      }
      return map;
    }

    Map<String, Long> numberMap(long field) throws Malformed {
      Map<String, Long> map = new LinkedHashMap<>();
      for (byte[] value : all(field)) {
        Reader entry = new Reader(value, 0);
        map.put(entry.text(1), entry.number(2));
      }
      return map;
    }

    private byte @Nullable [] last(long field) {
      List<byte[]> values = fields.get(field);
      return values == null ? null : values.getLast();
    }

    private List<byte[]> all(long field) {
      return fields.getOrDefault(field, List.of());
    }

    private long varintOf(byte[] value) throws Malformed {
      at = 0;
      return value.length == 0 ? 0 : varint();
    }

    private long varint() throws Malformed {
      long value = 0;
      for (int shift = 0; shift < Long.SIZE; shift += 7) {
        if (at >= body.length) {
          throw new Malformed("a number is cut");
        }
        int part = body[at++];
        value |= (long) (part & 0x7F) << shift;
        if ((part & 0x80) == 0) {
          return value;
        }
      }
      throw new Malformed("a number has more than 64 bits");
    }
  }
}

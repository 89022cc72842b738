package dev.sandpiper.agent.service;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Bytes that grow. Not thread-safe.
final class ByteBuilder {
  private byte[] bytes;
  private int length;

  ByteBuilder(int capacity) {
    bytes = new byte[capacity];
  }

  void add(int b) {
    if (length == bytes.length) {
      grow(1);
    }
    bytes[length++] = (byte) b;
  }

  /// ASCII only.
  void ascii(String text) {
    int count = text.length();
    if (count > bytes.length - length) {
      grow(count);
    }
    for (int i = 0; i < count; i++) {
      bytes[length++] = (byte) text.charAt(i);
    }
  }

  void utf8(String text) {
    byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
    add(encoded, encoded.length);
  }

  void add(byte[] more, int count) {
    if (count > bytes.length - length) {
      grow(count);
    }
    System.arraycopy(more, 0, bytes, length, count);
    length += count;
  }

  private void grow(int more) {
    bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, Math.addExact(length, more)));
  }

  int length() {
    return length;
  }

  /// The array itself, of which [#length] bytes count.
  byte[] array() {
    return bytes;
  }

  void clear() {
    length = 0;
  }
}

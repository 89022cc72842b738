package dev.sandpiper.agent.http;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/// Writes the text of HTTP/1.1: response heads and the framing of chunks.
final class Http1Head {
  static final byte[] CONTINUE =
      "HTTP/1.1 100 Continue\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
  static final byte[] CRLF = {'\r', '\n'};

  /// Room in front of a chunk: eight hex digits and CRLF. Behind it: CRLF.
  static final int CHUNK_ROOM = 10;

  private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
  private static volatile Date date = new Date(0, "");

  private record Date(long second, String text) {}

  private Http1Head() {}

  static void write(ByteBuf out, int status, Headers headers) {
    ascii(out, "HTTP/1.1 ");
    out.writeByte('0' + status / 100)
        .writeByte('0' + status / 10 % 10)
        .writeByte('0' + status % 10);
    out.writeByte(' ');
    ascii(out, HttpResponseStatus.valueOf(status).reasonPhrase());
    out.writeBytes(CRLF);
    fields(out, headers);
    if (status >= 200 && !headers.contains("date")) {
      ascii(out, "Date: ");
      ascii(out, now());
      out.writeBytes(CRLF);
    }
    out.writeBytes(CRLF);
  }

  static void fields(ByteBuf out, Headers headers) {
    for (int i = 0; i < headers.size(); i++) {
      name(out, headers.name(i));
      out.writeByte(':').writeByte(' ');
      value(out, headers.value(i));
      out.writeBytes(CRLF);
    }
  }

  /// The date of a response, made once a second.
  static String now() {
    long second = System.currentTimeMillis() / 1000;
    Date last = date;
    if (last.second != second) {
      String text =
          DateTimeFormatter.RFC_1123_DATE_TIME.format(
              Instant.ofEpochSecond(second).atOffset(ZoneOffset.UTC));
      last = new Date(second, text);
      date = last;
    }
    return last.text;
  }

  /// Puts a chunk's size in front of `bytes` that end at the reader index plus what the buffer holds.
  static void prependChunkSize(ByteBuf buffer, long bytes) {
    int at = buffer.readerIndex();
    buffer.setByte(--at, '\n');
    buffer.setByte(--at, '\r');
    long rest = bytes;
    do {
      buffer.setByte(--at, HEX[(int) (rest & 15)]);
      rest >>>= 4;
    } while (rest != 0);
    buffer.readerIndex(at);
  }

  private static void ascii(ByteBuf out, String text) {
    out.writeCharSequence(text, StandardCharsets.US_ASCII);
  }

  /// In the usual spelling: `content-type` leaves as `Content-Type`.
  private static void name(ByteBuf out, String name) {
    boolean first = true;
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      out.writeByte(first && c >= 'a' && c <= 'z' ? c - 32 : c);
      first = c == '-';
    }
  }

  /// A value can come from a service: it must not be able to end the line.
  private static void value(ByteBuf out, String value) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      out.writeByte(c == '\r' || c == '\n' || c == 0 ? ' ' : c > 255 ? '?' : c);
    }
  }
}

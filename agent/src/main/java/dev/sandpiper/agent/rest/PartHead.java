package dev.sandpiper.agent.rest;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The headers of one part of a multipart body, as far as uploads need them (RFC 7578; `filename*`: RFC 8187).
///
/// @param name the form field; empty where the part names none
/// @param fileName as given, with directories; empty where the part names none
record PartHead(Optional<String> name, Optional<String> fileName) {

  /// One parameter of a header, without its quotes.
  private record Parameter(String name, String value) {}

  /// Reads the header lines of a part.
  ///
  /// @throws MalformedMultipartException where they are not headers, not UTF-8, or announce an encoding of the content
  static PartHead parse(byte[] bytes, int length) throws MalformedMultipartException {
    String text = utf8(bytes, length);
    Optional<String> name = Optional.empty();
    Optional<String> fileName = Optional.empty();
    for (String line : text.split("\r\n", -1)) {
      if (line.isEmpty()) {
        continue;
      }
      int colon = line.indexOf(':');
      if (colon <= 0) {
        throw new MalformedMultipartException("a part has a malformed header line");
      }
      String value = line.substring(colon + 1).strip();
      switch (line.substring(0, colon).strip().toLowerCase(Locale.ROOT)) {
        case "content-disposition" -> {
          List<Parameter> parameters = parameters(value);
          name = find(parameters, "name");
          fileName = find(parameters, "filename*");
          fileName =
              fileName.isPresent()
                  ? Optional.of(extended(fileName.get()))
                  : find(parameters, "filename");
        }
        case "content-transfer-encoding" -> requireUnencoded(value);
        default -> {} // says nothing about where the content goes
      }
    }
    return new PartHead(name, fileName.filter(given -> !given.isEmpty()));
  }

  /// A parameter of a header such as `Content-Type`; its name in lower case.
  static Optional<String> parameter(String header, String name) throws MalformedMultipartException {
    return find(parameters(header), name);
  }

  private static Optional<String> find(List<Parameter> parameters, String name)
      throws MalformedMultipartException {
    String found = null;
    for (Parameter each : parameters) {
      if (each.name.equals(name)) {
        if (found != null) {
          throw new MalformedMultipartException("the parameter " + name + " is given twice");
        }
        found = each.value;
      }
    }
    return Optional.ofNullable(found);
  }

  private static List<Parameter> parameters(String header) throws MalformedMultipartException {
    List<Parameter> parameters = new ArrayList<>(3);
    int at = header.indexOf(';');
    while (at >= 0 && at < header.length()) {
      at = skipSpace(header, at + 1);
      int equals = header.indexOf('=', at);
      if (at >= header.length()) {
        break; // a header may end with a semicolon
      }
      if (equals < 0) {
        throw new MalformedMultipartException("a header has a parameter without a value");
      }
      String name = header.substring(at, equals).strip().toLowerCase(Locale.ROOT);
      at = skipSpace(header, equals + 1);
      if (at < header.length() && header.charAt(at) == '"') {
        StringBuilder value = new StringBuilder();
        at = quoted(header, at, value);
        parameters.add(new Parameter(name, value.toString()));
        at = skipSpace(header, at);
        if (at < header.length() && header.charAt(at) != ';') {
          throw new MalformedMultipartException("a header goes on behind a quoted value");
        }
      } else {
        int semicolon = header.indexOf(';', at);
        int end = semicolon < 0 ? header.length() : semicolon;
        parameters.add(new Parameter(name, header.substring(at, end).strip()));
        at = end;
      }
    }
    return parameters;
  }

  /// Reads a quoted string; answers where it goes on. Only a quote and a backslash are escaped: some clients send Windows
  /// paths as they are.
  private static int quoted(String header, int open, StringBuilder value)
      throws MalformedMultipartException {
    int at = open + 1;
    while (at < header.length()) {
      char c = header.charAt(at++);
      if (c == '"') {
        return at;
      }
      if (c == '\\' && at < header.length() && "\"\\".indexOf(header.charAt(at)) >= 0) {
        c = header.charAt(at++);
      }
      value.append(c);
    }
    throw new MalformedMultipartException("a header ends inside a quoted value");
  }

  private static int skipSpace(String text, int from) {
    int at = from;
    while (at < text.length() && (text.charAt(at) == ' ' || text.charAt(at) == '\t')) {
      at++;
    }
    return at;
  }

  /// Decodes `utf-8'language'percent-encoded`.
  private static String extended(String value) throws MalformedMultipartException {
    int first = value.indexOf('\'');
    int second = first < 0 ? -1 : value.indexOf('\'', first + 1);
    Charset charset = second < 0 ? null : charset(value.substring(0, first));
    if (charset == null) {
      throw new MalformedMultipartException("filename* is not of the form utf-8''name");
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int i = second + 1; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '%') {
        int high = i + 2 < value.length() ? Character.digit(value.charAt(i + 1), 16) : -1;
        int low = i + 2 < value.length() ? Character.digit(value.charAt(i + 2), 16) : -1;
        if (high < 0 || low < 0) {
          throw new MalformedMultipartException("filename* has an invalid escape");
        }
        bytes.write(high << 4 | low);
        i += 2;
      } else if (c > 0x7F) {
        throw new MalformedMultipartException("filename* is not ASCII");
      } else {
        bytes.write(c);
      }
    }
    return decode(charset, bytes.toByteArray(), bytes.size());
  }

  private static @Nullable Charset charset(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "utf-8", "us-ascii" -> StandardCharsets.UTF_8;
      case "iso-8859-1" -> StandardCharsets.ISO_8859_1;
      default -> null;
    };
  }

  private static void requireUnencoded(String encoding) throws MalformedMultipartException {
    switch (encoding.toLowerCase(Locale.ROOT)) {
      case "binary", "7bit", "8bit" -> {}
      default ->
          throw new MalformedMultipartException(
              "a part is sent in the encoding '" + encoding + "', which is not supported");
    }
  }

  private static String utf8(byte[] bytes, int length) throws MalformedMultipartException {
    return decode(StandardCharsets.UTF_8, bytes, length);
  }

  private static String decode(Charset charset, byte[] bytes, int length)
      throws MalformedMultipartException {
    try {
      return charset.newDecoder().decode(ByteBuffer.wrap(bytes, 0, length)).toString();
    } catch (CharacterCodingException _) {
      throw new MalformedMultipartException("a part's headers are not " + charset);
    }
  }
}

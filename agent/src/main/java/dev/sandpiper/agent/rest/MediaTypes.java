package dev.sandpiper.agent.rest;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// The media type of a file: by the extension of its name, else by its first bytes.
///
/// Both tables hold what people keep in sandboxes; a type that is missing is `application/octet-stream` or plain text, and
/// nothing worse happens.
final class MediaTypes {
  /// How many first bytes matter.
  static final int SNIFFED_BYTES = 512;

  static final String BINARY = "application/octet-stream";
  private static final String TEXT = "text/plain; charset=utf-8";

  /// A media type and the extensions that mean it, one a line. `text/…` is sent as UTF-8.
  private static final String EXTENSIONS =
      """
      application/epub+zip epub
      application/gzip gz tgz
      application/java-archive jar
      application/json json map ipynb
      application/msword doc
      application/octet-stream bin exe so o a
      application/pdf pdf
      application/rtf rtf
      application/sql sql
      application/toml toml
      application/vnd.ms-excel xls
      application/vnd.ms-powerpoint ppt
      application/vnd.oasis.opendocument.spreadsheet ods
      application/vnd.oasis.opendocument.text odt
      application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
      application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
      application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
      application/wasm wasm
      application/x-7z-compressed 7z
      application/x-bzip2 bz2
      application/x-sh sh
      application/x-tar tar
      application/x-xz xz
      application/yaml yaml yml
      application/zip zip
      application/zstd zst
      audio/aac aac
      audio/flac flac
      audio/mpeg mp3
      audio/ogg oga ogg opus
      audio/wav wav
      font/otf otf
      font/ttf ttf
      font/woff woff
      font/woff2 woff2
      image/avif avif
      image/bmp bmp
      image/gif gif
      image/jpeg jpg jpeg
      image/png png
      image/svg+xml svg
      image/tiff tif tiff
      image/webp webp
      image/x-icon ico
      text/css css
      text/csv csv
      text/html html htm
      text/javascript js mjs
      text/markdown md markdown
      text/plain txt text log conf ini
      text/tab-separated-values tsv
      text/xml xml
      video/mp4 mp4 m4v
      video/mpeg mpeg mpg
      video/quicktime mov
      video/webm webm
      video/x-matroska mkv
      video/x-msvideo avi
      """;

  private static final Map<String, String> BY_EXTENSION = table();

  /// A type and the bytes that its files begin with, as Latin-1; `.` stands for any byte.
  private record Signature(String begin, String type) {}

  private static final Signature[] SIGNATURES = {
    new Signature("%PDF-", "application/pdf"),
    new Signature("%!PS-Adobe-", "application/postscript"),
    new Signature("\u00fe\u00ff", "text/plain; charset=utf-16be"),
    new Signature("\u00ff\u00fe", "text/plain; charset=utf-16le"),
    new Signature("\u00ef\u00bb\u00bf", TEXT),
    new Signature("\u0089PNG\r\n\u001a\n", "image/png"),
    new Signature("GIF87a", "image/gif"),
    new Signature("GIF89a", "image/gif"),
    new Signature("\u00ff\u00d8\u00ff", "image/jpeg"),
    new Signature("RIFF....WEBPVP", "image/webp"),
    new Signature("RIFF....WAVE", "audio/wave"),
    new Signature("RIFF....AVI ", "video/avi"),
    new Signature("BM", "image/bmp"),
    new Signature("\0\0\u0001\0", "image/x-icon"),
    new Signature("ID3", "audio/mpeg"),
    new Signature("OggS\0", "application/ogg"),
    new Signature("MThd\0\0\0\u0006", "audio/midi"),
    new Signature("....ftyp", "video/mp4"),
    new Signature("\u001aE\u00df\u00a3", "video/webm"),
    new Signature("\0\u0001\0\0", "font/ttf"),
    new Signature("OTTO", "font/otf"),
    new Signature("wOFF", "font/woff"),
    new Signature("wOF2", "font/woff2"),
    new Signature("\u001f\u008b\b", "application/x-gzip"),
    new Signature("PK\u0003\u0004", "application/zip"),
    new Signature("Rar!\u001a\u0007", "application/x-rar-compressed"),
    new Signature("\0asm", "application/wasm"),
  };

  /// What HTML documents begin with, behind white space and in any case; a space or `>` follows.
  private static final String[] HTML = {
    "<!doctype html",
    "<html",
    "<head",
    "<script",
    "<iframe",
    "<h1",
    "<div",
    "<font",
    "<table",
    "<a",
    "<style",
    "<title",
    "<b",
    "<body",
    "<br",
    "<p",
    "<!--"
  };

  private MediaTypes() {}

  private static Map<String, String> table() {
    Map<String, String> byExtension = new HashMap<>();
    EXTENSIONS
        .lines()
        .forEach(line -> {
          String[] words = line.split(" ", -1);
          String type = words[0].startsWith("text/") ? words[0] + "; charset=utf-8" : words[0];
          for (int i = 1; i < words.length; i++) {
            byExtension.put(words[i], type);
          }
        });
    return Map.copyOf(byExtension);
  }

  /// The type that goes with the extension of a file's name.
  static Optional<String> ofName(String name) {
    int dot = name.lastIndexOf('.');
    return dot < 0
        ? Optional.empty()
        : Optional.ofNullable(BY_EXTENSION.get(name.substring(dot + 1).toLowerCase(Locale.ROOT)));
  }

  /// The type of a file that begins with the bytes between position and limit, which stay as they are.
  static String ofContent(ByteBuffer first) {
    byte[] bytes = new byte[Math.min(SNIFFED_BYTES, first.remaining())];
    first.get(first.position(), bytes);
    String content = new String(bytes, StandardCharsets.ISO_8859_1);
    String text = content.stripLeading().toLowerCase(Locale.ROOT);
    for (String tag : HTML) {
      if (text.startsWith(tag)
          && (tag.equals("<!--")
              || (text.length() > tag.length() && " >".indexOf(text.charAt(tag.length())) >= 0))) {
        return "text/html; charset=utf-8";
      }
    }
    if (text.startsWith("<?xml")) {
      return "text/xml; charset=utf-8";
    }
    for (Signature signature : SIGNATURES) {
      if (begins(content, signature.begin)) {
        return signature.type;
      }
    }
    return isText(content) ? TEXT : BINARY;
  }

  private static boolean begins(String content, String signature) {
    if (content.length() < signature.length()) {
      return false;
    }
    for (int i = 0; i < signature.length(); i++) {
      char wanted = signature.charAt(i);
      if (wanted != '.' && wanted != content.charAt(i)) {
        return false;
      }
    }
    return true;
  }

  /// No control character but those that texts hold: tab, line feed, form feed, carriage return, escape.
  private static boolean isText(String content) {
    for (int i = 0; i < content.length(); i++) {
      char c = content.charAt(i);
      if (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r' && c != 0x1b) {
        return false;
      }
    }
    return true;
  }
}

package dev.sandpiper.agent.service;

import dev.sandpiper.agent.filesystem.Entry;
import java.util.Map;

/// Entries as protobuf's JSON mapping has them, written by hand: a fifth of what the general printer takes for each.
record EntryJson(boolean legacy) implements EntryWire {
  private static final char[] HEX = "0123456789abcdef".toCharArray();

  @Override
  public void single(Entry entry, ByteBuilder out) {
    out.ascii("{\"entry\":");
    entry(entry, out);
    out.add('}');
  }

  @Override
  public void item(Entry entry, int index, ByteBuilder out) {
    out.ascii(index == 0 ? "{\"entries\":[" : ",");
    entry(entry, out);
  }

  @Override
  public void end(int count, ByteBuilder out) {
    out.ascii(count == 0 ? "{}" : "]}");
  }

  /// Default values are left out, as the mapping wants. A name is never empty.
  private void entry(Entry entry, ByteBuilder out) {
    out.ascii("{\"name\":");
    string(entry.name(), out);
    switch (entry.type()) {
      case FILE -> out.ascii(",\"type\":\"FILE_TYPE_FILE\"");
      case DIRECTORY -> out.ascii(",\"type\":\"FILE_TYPE_DIRECTORY\"");
      case UNSPECIFIED -> {}
    }
    out.ascii(",\"path\":");
    string(entry.path(), out);
    if (!legacy) {
      facts(entry, out);
    }
    out.add('}');
  }

  private static void facts(Entry entry, ByteBuilder out) {
    if (entry.size() != 0) {
      out.ascii(",\"size\":\"");
      out.ascii(Long.toString(entry.size()));
      out.add('"');
    }
    if (entry.mode() != 0) {
      out.ascii(",\"mode\":");
      out.ascii(Integer.toString(entry.mode()));
    }
    out.ascii(",\"permissions\":\"");
    out.ascii(entry.permissions());
    out.ascii("\",\"owner\":");
    string(entry.owner(), out);
    out.ascii(",\"group\":");
    string(entry.group(), out);
    if (FilesystemMessages.hasTime(entry)) {
      out.ascii(",\"modifiedTime\":\"");
      time(entry.modifiedSecond(), entry.modifiedNano(), out);
      out.add('"');
    }
    if (entry.symlinkTarget().isPresent()) {
      out.ascii(",\"symlinkTarget\":");
      string(entry.symlinkTarget().get(), out);
    }
    if (!entry.metadata().isEmpty()) {
      metadata(entry.metadata(), out);
    }
  }

  private static void metadata(Map<String, String> metadata, ByteBuilder out) {
    out.ascii(",\"metadata\":{");
    boolean first = true;
    for (Map.Entry<String, String> each : metadata.entrySet()) {
      if (!first) {
        out.add(',');
      }
      first = false;
      string(each.getKey(), out);
      out.add(':');
      string(each.getValue(), out);
    }
    out.add('}');
  }

  private static void string(String text, ByteBuilder out) {
    out.add('"');
    int plain = 0;
    int length = text.length();
    while (plain < length && isPlain(text.charAt(plain))) {
      plain++;
    }
    if (plain == length) {
      out.ascii(text);
    } else {
      escaped(text, out);
    }
    out.add('"');
  }

  private static boolean isPlain(char c) {
    return c >= ' ' && c < 0x7F && c != '"' && c != '\\';
  }

  private static void escaped(String text, ByteBuilder out) {
    int from = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < ' ' || c == 0x7F || c == '"' || c == '\\') {
        out.utf8(text.substring(from, i));
        from = i + 1;
        if (c == '"' || c == '\\') {
          out.add('\\');
          out.add(c);
        } else {
          out.ascii("\\u00");
          out.add(HEX[c >> 4]);
          out.add(HEX[c & 15]);
        }
      }
    }
    out.utf8(text.substring(from));
  }

  /// RFC 3339 in UTC, with 0, 3, 6 or 9 digits of the second.
  private static void time(long second, int nano, ByteBuilder out) {
    long day = Math.floorDiv(second, 86_400L);
    int ofDay = (int) Math.floorMod(second, 86_400L);
    // Days to a date of the Gregorian calendar, counted from 0000-03-01, so that a leap day ends
    // its year.
    long days = day + 719_468;
    long era = Math.floorDiv(days, 146_097L);
    int ofEra = (int) Math.floorMod(days, 146_097L);
    int yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365;
    int ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
    int shifted = (5 * ofYear + 2) / 153; // March is 0
    int dayOfMonth = ofYear - (153 * shifted + 2) / 5 + 1;
    int month = shifted < 10 ? shifted + 3 : shifted - 9;
    long year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
    digits((int) year, 4, out);
    out.add('-');
    digits(month, 2, out);
    out.add('-');
    digits(dayOfMonth, 2, out);
    out.add('T');
    digits(ofDay / 3600, 2, out);
    out.add(':');
    digits(ofDay / 60 % 60, 2, out);
    out.add(':');
    digits(ofDay % 60, 2, out);
    if (nano != 0) {
      out.add('.');
      if (nano % 1_000_000 == 0) {
        digits(nano / 1_000_000, 3, out);
      } else if (nano % 1000 == 0) {
        digits(nano / 1000, 6, out);
      } else {
        digits(nano, 9, out);
      }
    }
    out.add('Z');
  }

  private static void digits(int number, int width, ByteBuilder out) {
    int scale = 1;
    for (int i = 1; i < width; i++) {
      scale *= 10;
    }
    for (; scale > 0; scale /= 10) {
      out.add('0' + number / scale % 10);
    }
  }
}

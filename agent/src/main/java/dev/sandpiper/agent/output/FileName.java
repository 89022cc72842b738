package dev.sandpiper.agent.output;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What the name of a file in the output directory says: `<process id>.<stream>.<start offset>` is a segment,
/// `<process id>.index.<number of its first entry>` a part of the index.
///
/// @param stream null for a part of the index
record FileName(String processId, @Nullable StreamName stream, long start) {
  private static final Pattern PROCESS_ID = Pattern.compile("[A-Za-z0-9_-]{1,64}");
  private static final Pattern NAME =
      Pattern.compile("([A-Za-z0-9_-]{1,64})\\.(stdout|stderr|pty|index)\\.([0-9]{1,18})");

  static String checkProcessId(String processId) {
    if (!PROCESS_ID.matcher(processId).matches()) {
      throw new IllegalArgumentException(
          "a process id is 1 to 64 letters, digits, '-' or '_', not: " + processId);
    }
    return processId;
  }

  static String segment(String processId, StreamName stream, long start) {
    return processId + '.' + stream.text() + '.' + start;
  }

  static String index(String processId, long firstOrder) {
    return processId + ".index." + firstOrder;
  }

  /// Null when the file is none of ours.
  static @Nullable FileName parse(String name) {
    Matcher matcher = NAME.matcher(name);
    if (!matcher.matches()) {
      return null;
    }
    StreamName stream = null;
    for (StreamName candidate : StreamName.values()) {
      if (candidate.text().equals(matcher.group(2))) {
        stream = candidate;
      }
    }
    return new FileName(matcher.group(1), stream, Long.parseLong(matcher.group(3)));
  }
}

package dev.sandpiper.agent.logs;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.telemetry.LogTap;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What the agent itself has said, kept for queries: two files in the state directory, each named by the offset of its first
/// byte, of [#FILE_BYTES] each. A full one makes the older one go. A line of text per line of log, written when it is said, so
/// that it survives the agent.
///
/// Any thread may log: it waits for one write of a short line into the page cache. Until the directory is known the first
/// [#MOST_EARLY] lines wait in memory; further ones are not kept.
public final class AgentLog implements LogTap, AutoCloseable {
  static final int FILE_BYTES = 256 * 1024;
  static final int MOST_EARLY = 256;

  /// Of one line, in characters of its message, and of its stack trace.
  private static final int MOST_TEXT = 8 * 1024;

  private static final int NAME_DIGITS = 16;

  /// One file: its first byte's offset, and how many there are.
  record Piece(Path path, long start, long length) {}

  private final Consumer<String> trouble;
  private final List<Runnable> followers = new CopyOnWriteArrayList<>();

  @GuardedBy("this")
  private final Deque<byte[]> early = new ArrayDeque<>();

  @GuardedBy("this")
  private final Deque<Piece> pieces = new ArrayDeque<>();

  @GuardedBy("this")
  private @Nullable Path wanted;

  @GuardedBy("this")
  private @Nullable Path directory;

  @GuardedBy("this")
  private @Nullable FileChannel file;

  @GuardedBy("this")
  private long lastMicros;

  @GuardedBy("this")
  private boolean failed;

  @GuardedBy("this")
  private boolean closed;

  /// @param trouble takes what cannot be logged: that logging fails, once
  public AgentLog(Consumer<String> trouble) {
    this.trouble = trouble;
  }

  /// Where lines are to be kept, behind those of earlier agents. Touches nothing yet: [#open] does, or whoever asks first.
  public synchronized void keepIn(Path where) {
    wanted = where;
  }

  /// Opens the directory, which is made where needed, and writes what has waited. Twice is fine.
  public synchronized void open() {
    Path where = wanted;
    if (where == null || closed) {
      return;
    }
    wanted = null;
    directory = where;
    try {
      Files.createDirectories(where);
      find(where);
      for (byte[] line : early) {
        write(line);
      }
      early.clear();
    } catch (IOException failure) {
      fail(failure);
    }
  }

  /// Both at once.
  public void open(Path where) {
    keepIn(where);
    open();
  }

  private static boolean isName(String name) {
    return name.length() == NAME_DIGITS && name.chars().allMatch(c -> c >= '0' && c <= '9');
  }

  private static String name(long start) {
    String digits = Long.toString(start);
    return "0".repeat(NAME_DIGITS - digits.length()) + digits;
  }

  @GuardedBy("this")
  private void find(Path where) throws IOException {
    List<Piece> found = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(where)) {
      for (Path path : files) {
        if (isName(path.getFileName().toString())) {
          found.add(
              new Piece(path, Long.parseLong(path.getFileName().toString()), Files.size(path)));
        }
      }
    }
    found.sort(Comparator.comparingLong(Piece::start));
    for (Piece piece : found) {
      Piece before = pieces.peekLast();
      if (before != null && before.start() + before.length() != piece.start()) {
        pieces.clear(); // What does not join what follows is left alone, and not told.
      }
      pieces.add(piece);
    }
    Piece last = pieces.peekLast();
    if (last != null) {
      byte[] bytes = Files.readAllBytes(last.path());
      int whole = bytes.length;
      while (whole > 0 && bytes[whole - 1] != '\n') {
        whole--; // A line that was not written to its end when the agent was killed.
      }
      pieces.removeLast();
      pieces.add(new Piece(last.path(), last.start(), whole));
      int begin = whole - 1;
      while (begin > 0 && bytes[begin - 1] != '\n') {
        begin--;
      }
      AgentLine line = whole == 0 ? null : AgentLine.parse(bytes, begin, whole - 1);
      lastMicros = line == null ? 0 : line.micros();
    }
  }

  @Override
  public void line(
      long micros, String level, String logger, String message, @Nullable String stackTrace) {
    synchronized (this) {
      lastMicros = Math.max(lastMicros, micros);
      byte[] bytes =
          new AgentLine(lastMicros, level, logger, cut(message), cut(stackTrace)).toBytes();
      if (directory == null) {
        if (!closed && early.size() < MOST_EARLY) {
          early.add(bytes);
        }
        return;
      }
      try {
        write(bytes);
      } catch (IOException failure) {
        fail(failure);
        return;
      }
    }
    followers.forEach(Runnable::run);
  }

  private static String cut(@Nullable String text) {
    return text == null
        ? ""
        : text.length() > MOST_TEXT ? text.substring(0, MOST_TEXT) + "…" : text;
  }

  @GuardedBy("this")
  private void write(byte[] line) throws IOException {
    Path where = directory;
    if (where == null) {
      return;
    }
    Piece last = pieces.peekLast();
    if (last == null || last.length() + line.length > FILE_BYTES) {
      long start = last == null ? 0 : last.start() + last.length();
      if (file != null) {
        file.close();
        file = null;
      }
      last = new Piece(where.resolve(name(start)), start, 0);
      pieces.add(last);
      while (pieces.size() > 2) {
        Files.deleteIfExists(pieces.removeFirst().path());
      }
    }
    FileChannel to = file;
    if (to == null) {
      to = FileChannel.open(last.path(), StandardOpenOption.WRITE, StandardOpenOption.CREATE);
      to.truncate(last.length());
      file = to;
    }
    // At its place, so that what was begun and failed is written over.
    ByteBuffer bytes = ByteBuffer.wrap(line);
    while (bytes.hasRemaining()) {
      to.write(bytes, last.length() + bytes.position());
    }
    pieces.removeLast();
    pieces.add(new Piece(last.path(), last.start(), last.length() + line.length));
  }

  @GuardedBy("this")
  private void fail(IOException failure) {
    if (!failed) {
      failed = true;
      trouble.accept("the agent's own lines are not kept for queries: " + failure);
    }
  }

  /// The files there are, oldest first.
  synchronized List<Piece> pieces() {
    open();
    return List.copyOf(pieces);
  }

  synchronized long endOffset() {
    open();
    Piece last = pieces.peekLast();
    return last == null ? 0 : last.start() + last.length();
  }

  /// Wakes after each line, until the answer is run.
  Runnable watch(Runnable wake) {
    followers.add(wake);
    return () -> followers.remove(wake);
  }

  /// Bytes from `offset` on up to the end, at most what both files hold; [Bytes#start] tells what is really the first.
  Bytes read(long offset) throws IOException {
    List<Piece> now = pieces();
    long start = now.isEmpty() ? offset : Math.max(offset, now.getFirst().start());
    long end = now.isEmpty() ? offset : now.getLast().start() + now.getLast().length();
    ByteBuffer bytes = ByteBuffer.allocate((int) Math.max(0, end - start));
    for (Piece piece : now) {
      long from = Math.max(start, piece.start());
      long to = piece.start() + piece.length();
      if (from < to) {
        try (FileChannel in = FileChannel.open(piece.path(), StandardOpenOption.READ)) {
          bytes.limit((int) (to - start));
          while (bytes.hasRemaining() && in.read(bytes, from - piece.start()) > 0) {
            from = start + bytes.position();
          }
        } catch (java.nio.file.NoSuchFileException _) {
          return read(offset); // It went meanwhile; there is a newer one.
        }
      }
    }
    return new Bytes(start, bytes.array());
  }

  /// A part of the log.
  @SuppressWarnings("ArrayRecordComponent") // handed over, not compared
  record Bytes(long start, byte[] bytes) {}

  @Override
  public synchronized void close() {
    open();
    if (file != null) {
      try {
        file.close();
      } catch (IOException failure) {
        fail(failure);
      }
      file = null;
    }
    directory = null;
    closed = true;
  }

  /// One line of the agent's.
  record AgentLine(long micros, String level, String logger, String message, String stackTrace) {
    byte[] toBytes() {
      StringBuilder text = new StringBuilder(message.length() + 64);
      text.append(micros).append('\t').append(level).append('\t');
      escape(logger, text);
      text.append('\t');
      escape(message, text);
      text.append('\t');
      escape(stackTrace, text);
      return text.append('\n').toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void escape(String value, StringBuilder text) {
      for (int i = 0; i < value.length(); i++) {
        char character = value.charAt(i);
        switch (character) {
          case '\\' -> text.append("\\\\");
          case '\t' -> text.append("\\t");
          case '\n' -> text.append("\\n");
          default -> text.append(character);
        }
      }
    }

    private static String unescape(String value) {
      if (value.indexOf('\\') < 0) {
        return value;
      }
      StringBuilder text = new StringBuilder(value.length());
      for (int i = 0; i < value.length(); i++) {
        char character = value.charAt(i);
        if (character == '\\' && i + 1 < value.length()) {
          i++;
          char escaped = value.charAt(i);
          text.append(escaped == 't' ? '\t' : escaped == 'n' ? '\n' : escaped);
        } else {
          text.append(character);
        }
      }
      return text.toString();
    }

    /// Null for what is no line of ours.
    static @Nullable AgentLine parse(byte[] bytes, int from, int to) {
      String[] fields = new String(bytes, from, to - from, StandardCharsets.UTF_8).split("\t", -1);
      if (fields.length != 5) {
        return null;
      }
      try {
        return new AgentLine(
            Long.parseLong(fields[0]),
            fields[1],
            unescape(fields[2]),
            unescape(fields[3]),
            unescape(fields[4]));
      } catch (NumberFormatException _) {
        return null;
      }
    }
  }
}

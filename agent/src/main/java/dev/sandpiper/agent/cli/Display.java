package dev.sandpiper.agent.cli;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.process.ProcessEvent;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/// What a run shows of itself. May be called from several threads.
///
/// Every method throws `OutputClosedException` when nobody reads any more.
sealed interface Display {
  /// Nobody reads what is printed: the reader of the pipe has gone.
  final class OutputClosedException extends IOException {
    private static final long serialVersionUID = 1L;

    OutputClosedException(IOException cause) {
      super("nobody reads the output", cause);
    }
  }

  void event(ProcessEvent event) throws OutputClosedException;

  void agent(String what) throws OutputClosedException;

  void record(String line) throws OutputClosedException;

  /// The command's bytes as they are, each stream to its own; nothing else on standard output, and what is said about
  /// the agent on standard error if asked for.
  final class Raw implements Display {
    private final Console console;
    private final Report report;

    Raw(Console console) {
      this.console = console;
      this.report = new Report(console.err(), false);
    }

    @Override
    public void event(ProcessEvent event) throws OutputClosedException {
      if (!event.hasData()) {
        return;
      }
      var data = event.getData();
      write(console.out(), data.getStdout());
      write(console.out(), data.getPty());
      write(console.err(), data.getStderr());
    }

    private static void write(OutputStream to, ByteString bytes) throws OutputClosedException {
      if (bytes.isEmpty()) {
        return;
      }
      try {
        bytes.writeTo(to);
        to.flush();
      } catch (IOException e) {
        throw new OutputClosedException(e);
      }
    }

    @Override
    public void agent(String what) throws OutputClosedException {
      report.line("agent", what);
    }

    @Override
    public void record(String line) throws OutputClosedException {
      report.line("record", line);
    }
  }

  /// A line for everything that happens, when it happens, on standard output.
  final class Live implements Display {
    private static final int SHOWN_BYTES = 200; // of one data event; they are up to 32 KiB
    private final Report report;

    Live(Console console, boolean colour) {
      this.report = new Report(console.out(), colour);
    }

    @Override
    public void event(ProcessEvent event) throws OutputClosedException {
      report.line(
          "event",
          switch (event.getEventCase()) {
            case START -> "start      pid " + Integer.toUnsignedString(event.getStart().getPid());
            case DATA -> data(event.getData());
            case KEEPALIVE -> "keepalive";
            case END -> "end        " + event.getEnd().getStatus();
            case EVENT_NOT_SET -> "of a kind that this program does not know";
          });
    }

    private static String data(ProcessEvent.DataEvent data) {
      return switch (data.getOutputCase()) {
        case STDOUT -> "data       stdout " + show(data.getStdout());
        case STDERR -> "data       stderr " + show(data.getStderr());
        case PTY -> "data       pty " + show(data.getPty());
        case OUTPUT_NOT_SET -> "data       of a stream that this program does not know";
      };
    }

    private static String show(ByteString bytes) {
      var shown = bytes.substring(0, Math.min(bytes.size(), SHOWN_BYTES)).toStringUtf8();
      var text = new StringBuilder(shown.length() + 16);
      text.append(bytes.size()).append(bytes.size() == 1 ? " byte \"" : " bytes \"");
      shown.codePoints().forEach(character -> append(text, character));
      return text.append(bytes.size() > SHOWN_BYTES ? "\" …" : "\"").toString();
    }

    private static void append(StringBuilder text, int character) {
      switch (character) {
        case '\n' -> text.append("\\n");
        case '\r' -> text.append("\\r");
        case '\t' -> text.append("\\t");
        case '"' -> text.append("\\\"");
        case '\\' -> text.append("\\\\");
        default -> {
          if (Character.isISOControl(character)) {
            text.append(String.format(Locale.ROOT, "\\x%02x", character));
          } else {
            text.appendCodePoint(character);
          }
        }
      }
    }

    @Override
    public void agent(String what) throws OutputClosedException {
      report.line("agent", what);
    }

    @Override
    public void record(String line) throws OutputClosedException {
      report.line("record", line);
    }
  }

  /// Lines with the seconds since the run began and what they are about.
  final class Report {
    private static final double NANOS = 1e9;
    private final OutputStream out;
    private final boolean colour;
    private final long began = System.nanoTime();

    private Report(OutputStream out, boolean colour) {
      this.out = out;
      this.colour = colour;
    }

    private void line(String about, String what) throws OutputClosedException {
      var label = String.format(Locale.ROOT, "%-6s", about);
      var line =
          String.format(
              Locale.ROOT,
              "%7.3f s  %s  %s%n",
              (System.nanoTime() - began) / NANOS,
              paint(label),
              what);
      try {
        // One write for one line, so that lines of several threads do not mix.
        out.write(line.getBytes(StandardCharsets.UTF_8));
        out.flush();
      } catch (IOException e) {
        throw new OutputClosedException(e);
      }
    }

    private String paint(String label) {
      if (!colour) {
        return label;
      }
      var code =
          switch (label.strip()) {
            case "event" -> "32"; // green
            case "record" -> "36"; // cyan
            default -> "33"; // yellow
          };
      return "\u001b[" + code + "m" + label + "\u001b[0m";
    }
  }
}

package dev.sandpiper.agent.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// The three streams of a client command, unbuffered and byte for byte, and what is behind them.
record Console(
    InputStream in, OutputStream out, OutputStream err, Input input, boolean outIsTerminal) {
  /// What standard input is.
  enum Input {
    /// Somebody types there; not forwarded unless asked for.
    TERMINAL,
    /// A pipe, a file or a socket: meant to be read.
    DATA,
    /// `/dev/null` or closed.
    NOTHING
  }

  /// This process's own streams.
  static Console system() {
    return new Console(
        new FileInputStream(FileDescriptor.in),
        new FileOutputStream(FileDescriptor.out),
        new FileOutputStream(FileDescriptor.err),
        kind(0),
        kind(1) == Input.TERMINAL);
  }

  // The link says what a descriptor is without a foreign call: "/dev/pts/3", "pipe:[4711]",
  // "/dev/null", a file.
  private static Input kind(int descriptor) {
    try {
      var target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
      if (target.startsWith("/dev/pts/")
          || target.startsWith("/dev/tty")
          || target.equals("/dev/console")) {
        return Input.TERMINAL;
      }
      return target.equals("/dev/null") ? Input.NOTHING : Input.DATA;
    } catch (IOException _) {
      return Input.NOTHING; // closed, or no /proc: then nothing is read unless asked for
    }
  }

  /// Prints a line about the command itself, never about what it runs.
  void complain(String message) {
    line(err, "sandpiper: " + message);
  }

  void print(String text) {
    line(out, text.stripTrailing());
  }

  private static void line(OutputStream to, String text) {
    try {
      to.write((text + "\n").getBytes(StandardCharsets.UTF_8));
      to.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("nobody reads what this command has to say", e);
    }
  }
}

package dev.sandpiper.agent.cli;

import java.io.Closeable;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// The terminal on this program's standard input, by way of stty(1), which is wherever people type.
///
/// In raw mode every key goes to the command as it is, Ctrl-C included: the command's own terminal makes the signal of it.
final class Terminal implements Closeable {
  /// Columns and rows.
  record Size(int columns, int rows) {
    static final Size USUAL = new Size(80, 24);
  }

  private final String saved;
  private final Thread hook = new Thread(this::restore, "restore-terminal");

  private Terminal(String saved) {
    this.saved = saved;
  }

  /// Switches to raw mode until `close`, or until the program ends.
  static Terminal raw() throws IOException {
    var terminal = new Terminal(stty("-g"));
    Runtime.getRuntime().addShutdownHook(terminal.hook);
    stty("raw", "-echo");
    return terminal;
  }

  /// The size now; the usual one where the terminal does not know.
  static Size size() throws IOException {
    var words = stty("size").split(" ", -1);
    try {
      var size = new Size(Integer.parseInt(words[1]), Integer.parseInt(words[0]));
      return size.columns > 0 && size.rows > 0 ? size : Size.USUAL;
    } catch (NumberFormatException | ArrayIndexOutOfBoundsException _) {
      return Size.USUAL;
    }
  }

  private static String stty(String... arguments) throws IOException {
    var line = new ArrayList<>(List.of("stty"));
    line.addAll(List.of(arguments));
    var process =
        new ProcessBuilder(line).redirectInput(Redirect.INHERIT).redirectErrorStream(true).start();
    var said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    try {
      if (process.waitFor() != 0) {
        throw new IOException("cannot set up the terminal: " + said);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while setting up the terminal", e);
    }
    return said;
  }

  @Override
  public void close() {
    restore();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException _) {
      // The program is ending, and the hook runs or has run.
    }
  }

  private void restore() {
    try {
      stty(saved);
    } catch (IOException _) {
      // The terminal has gone; so has what it was set to.
    }
  }
}

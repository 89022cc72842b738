package dev.sandpiper.agent.cli;

import com.google.protobuf.ByteString;
import dev.sandpiper.agent.cli.Display.OutputClosedException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/// What a client command prints on: bytes as they are, or lines, with colours where a terminal shows them and `NO_COLOR`
/// is not set.
record Screen(Console console, boolean colour) {
  /// An ANSI colour of the foreground.
  enum Colour {
    RED(31),
    GREEN(32),
    YELLOW(33),
    CYAN(36),
    GREY(90);

    private final int code;

    Colour(int code) {
      this.code = code;
    }
  }

  /// The text in this colour, or as it is where there are none.
  String paint(String text, Colour in) {
    return colour ? "\u001b[" + in.code + "m" + text + "\u001b[0m" : text;
  }

  /// Prints a line on standard output.
  void line(String text) throws OutputClosedException {
    write(console.out(), (text + "\n").getBytes(StandardCharsets.UTF_8));
  }

  void out(ByteString bytes) throws OutputClosedException {
    write(console.out(), bytes.toByteArray());
  }

  void err(ByteString bytes) throws OutputClosedException {
    write(console.err(), bytes.toByteArray());
  }

  void complain(String message) {
    console.complain(message);
  }

  private static void write(OutputStream to, byte[] bytes) throws OutputClosedException {
    try {
      to.write(bytes);
      to.flush();
    } catch (IOException e) {
      throw new OutputClosedException(e);
    }
  }
}

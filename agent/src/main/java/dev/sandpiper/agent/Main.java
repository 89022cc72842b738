package dev.sandpiper.agent;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/// The program's entry point.
public final class Main {
  private Main() {}

  static void main() throws IOException {
    try (var out = new FileOutputStream(FileDescriptor.out)) {
      out.write(("sandpiper " + Version.current() + "\n").getBytes(StandardCharsets.UTF_8));
    }
  }
}

package dev.sandpiper.agent.journal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

/// Gives what we do not understand another name, so that nothing is ever deleted because it could not be read.
final class SetAside {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

  private SetAside() {}

  /// Renames the file and answers its new name.
  static Path file(Path file) throws IOException {
    Path aside = free(file.resolveSibling(file.getFileName() + ".set-aside-" + now()));
    Files.move(file, aside);
    return aside;
  }

  /// A new directory to put things into.
  static Path directory(Path parent) throws IOException {
    return Files.createDirectory(free(parent.resolve("set-aside-" + now())));
  }

  private static String now() {
    return TIME.format(Instant.now());
  }

  private static Path free(Path wanted) {
    Path candidate = wanted;
    for (int i = 2; Files.exists(candidate); i++) {
      candidate = wanted.resolveSibling(wanted.getFileName() + "-" + i);
    }
    return candidate;
  }
}

package dev.sandpiper.tests.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// What several test processes use and one of them has to make: a directory of packages, a program.
final class MadeOnce {
  private static final Path LOCK = Path.of("target", "made-once.lock");

  private MadeOnce() {}

  @FunctionalInterface
  interface Work {
    void run() throws IOException;
  }

  /// Runs it while nobody else makes anything, in this process or in another. It looks itself whether there is still
  /// something to do.
  static synchronized void make(Work work) {
    try {
      Files.createDirectories(LOCK.getParent());
      try (FileChannel file =
              FileChannel.open(LOCK, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
          FileLock held = file.lock()) {
        if (!held.isValid()) {
          throw new IllegalStateException(LOCK + " cannot be locked");
        }
        work.run();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

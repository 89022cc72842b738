package dev.sandpiper.tests.harness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.stream.Stream;

/// Published packages of E2B's, pinned by lock files and installed once: `e2b` from `src/test/node` into `target/node`, beside
/// the programs that use it, and the command line `@e2b/cli` from `src/test/node-cli` into `target/node-cli`.
public final class NodePackages {
  private static final Path SOURCES = Path.of("src/test/node");
  private static final long INSTALL_SECONDS = 600;

  private NodePackages() {}

  /// Runs all the cases, some files at a time, and reports as [SdkCases] reads it.
  public static ProcessBuilder tests() {
    Path directory = installed();
    ProcessBuilder node =
        new ProcessBuilder(
            "node",
            "--test",
            "--test-concurrency=4",
            "--test-timeout=100000",
            "--test-reporter=./reporter.mjs");
    try (Stream<Path> sources = Files.list(SOURCES)) {
      sources
          .map(it -> it.getFileName().toString())
          .filter(it -> it.endsWith(".test.mjs"))
          .sorted()
          .forEach(node.command()::add);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return node.directory(directory.toFile());
  }

  /// The directory with programs and packages. Without Node the test that asks is skipped and says so; it fails where
  /// `CI=true`.
  public static Path installed() {
    return installed("node");
  }

  /// The published command line, to be followed by its arguments.
  public static ProcessBuilder e2b() {
    Path program = installed("node-cli").resolve("node_modules/@e2b/cli/dist/index.js");
    return new ProcessBuilder("node", program.toString());
  }

  private static Path installed(String name) {
    boolean there = isThere("node") && isThere("npm");
    if (Boolean.parseBoolean(System.getenv("CI"))) {
      assertThat(there).as("CI=true needs node and npm").isTrue();
    }
    assumeTrue(there, "needs node and npm (Debian: apt-get install nodejs npm)");
    Path to = Path.of("target", name);
    MadeOnce.make(() -> install(Path.of("src/test", name), to));
    return to.toAbsolutePath();
  }

  private static boolean isThere(String program) {
    return Shell.run("/bin/sh", "-c", "command -v " + program).exitCode() == 0;
  }

  private static void install(Path from, Path to) throws IOException {
    Files.createDirectories(to);
    try (Stream<Path> sources = Files.list(from)) {
      for (Path source : sources.filter(Files::isRegularFile).toList()) {
        Path copy = to.resolve(source.getFileName());
        // What is right already stays, for it may be running.
        if (!Files.exists(copy) || Files.mismatch(source, copy) >= 0) {
          Files.copy(source, copy, StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
    Path stamp = to.resolve("node_modules/.installed-lock.json");
    String lock = Files.readString(from.resolve("package-lock.json"));
    if (Files.exists(stamp) && Files.readString(stamp).equals(lock)) {
      return;
    }
    long started = System.nanoTime();
    ProcessBuilder npm =
        new ProcessBuilder("npm", "ci", "--omit=optional", "--ignore-scripts", "--no-progress")
            .directory(to.toFile());
    Shell.run(npm, INSTALL_SECONDS).requireSuccess();
    Files.writeString(stamp, lock);
    Measured.print("npm ci: %.1f s", Measured.seconds(Measured.since(started)));
  }
}

package dev.sandpiper.tests.harness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Clients that are written in Go, built into `target/go`: published ones by their pinned version, and our own from
/// `src/test/go`, whose `go.sum` pins what it uses.
///
/// Without Go the test that asks is skipped and says so; it fails where `CI=true`.
public final class GoPrograms {
  private static final Path SOURCES = Path.of("src/test/go").toAbsolutePath();
  private static final Path BUILT = Path.of("target/go").toAbsolutePath();

  /// With downloads and an empty cache; two processors take one minute for the largest.
  private static final long BUILD_SECONDS = 600;

  /// Takes the linker half the time.
  private static final String NO_SYMBOLS = "-ldflags=-s -w";

  private GoPrograms() {}

  /// A program of the public `grpcurl`; the version is the build's.
  public static Path grpcurl() {
    String version = System.getProperty("sandpiper.grpcurl", "");
    assertThat(version).as("system property sandpiper.grpcurl, a version").isNotEmpty();
    Path directory = BUILT.resolve(version);
    Path program = directory.resolve("grpcurl");
    MadeOnce.make(() -> {
      if (!Files.isExecutable(program)) {
        go(
            directory,
            "install",
            NO_SYMBOLS,
            "github.com/fullstorydev/grpcurl/cmd/grpcurl@" + version);
      }
    });
    return program;
  }

  /// A program of ours, named as its directory.
  public static Path own(String name) {
    Path program = BUILT.resolve(name);
    MadeOnce.make(() ->
        go(
            BUILT,
            "build",
            "-C",
            SOURCES.resolve(name).toString(),
            "-buildvcs=false",
            NO_SYMBOLS,
            "-o",
            program.toString(),
            "."));
    return program;
  }

  private static void go(Path directory, String... arguments) {
    boolean there = Shell.run("/bin/sh", "-c", "command -v go").exitCode() == 0;
    if (Boolean.parseBoolean(System.getenv("CI"))) {
      assertThat(there).as("CI=true needs go").isTrue();
    }
    assumeTrue(there, "needs Go 1.26 or later (https://go.dev/dl)");
    long started = System.nanoTime();
    ProcessBuilder go = new ProcessBuilder("go");
    go.command().addAll(List.of(arguments));
    go.environment().put("GOBIN", directory.toString());
    Shell.run(go, BUILD_SECONDS).requireSuccess();
    Measured.print("go %s: %.1f s", arguments[0], Measured.seconds(Measured.since(started)));
  }
}

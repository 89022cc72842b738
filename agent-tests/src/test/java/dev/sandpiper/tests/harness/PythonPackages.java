package dev.sandpiper.tests.harness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The published `e2b` package for Python, pinned with all it needs by `src/test/python/requirements.txt` and installed
/// once into an environment of its own, `target/python`.
public final class PythonPackages {
  private static final Path SOURCES = Path.of("src/test/python").toAbsolutePath();
  private static final Path INSTALLED = Path.of("target/python").toAbsolutePath();
  private static final long INSTALL_SECONDS = 600;

  private PythonPackages() {}

  /// Runs one of the programs in `src/test/python`, or another with the same packages.
  public static ProcessBuilder program(String... arguments) {
    ProcessBuilder builder = new ProcessBuilder(installed().resolve("bin/python").toString());
    builder.command().addAll(List.of(arguments));
    builder.directory(SOURCES.toFile());
    builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
    return builder;
  }

  /// The environment. Without Python the test that asks is skipped and says so; it fails where `CI=true`.
  public static synchronized Path installed() {
    boolean there =
        Shell.run(
                    "/bin/sh",
                    "-c",
                    "python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'")
                .exitCode()
            == 0;
    if (Boolean.parseBoolean(System.getenv("CI"))) {
      assertThat(there).as("CI=true needs Python 3.11 or later with venv and pip").isTrue();
    }
    assumeTrue(
        there, "needs Python 3.11 or later with venv (Debian: apt-get install python3-venv)");
    try {
      install();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return INSTALLED;
  }

  private static void install() throws IOException {
    Path stamp = INSTALLED.resolve(".installed-requirements.txt");
    String wanted = Files.readString(SOURCES.resolve("requirements.txt"));
    if (Files.exists(stamp) && Files.readString(stamp).equals(wanted)) {
      return;
    }
    long started = System.nanoTime();
    ProcessBuilder venv =
        new ProcessBuilder("python3", "-m", "venv", "--clear", INSTALLED.toString());
    Shell.run(venv, INSTALL_SECONDS).requireSuccess();
    ProcessBuilder pip =
        new ProcessBuilder(
            INSTALLED.resolve("bin/python").toString(),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary=:all:",
            "--require-hashes",
            "--requirement",
            SOURCES.resolve("requirements.txt").toString());
    Shell.run(pip, INSTALL_SECONDS).requireSuccess();
    Files.writeString(stamp, wanted);
    Measured.print("pip install: %.1f s", Measured.seconds(Measured.since(started)));
  }
}

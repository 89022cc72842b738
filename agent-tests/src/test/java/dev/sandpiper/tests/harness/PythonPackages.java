package dev.sandpiper.tests.harness;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Packages for Python, pinned with all they need by a `requirements.txt` and installed once into an environment of their
/// own below `target`.
public final class PythonPackages {
  private static final Path SOURCES = Path.of("src/test/python").toAbsolutePath();

  /// The published `e2b` package.
  private static final PythonPackages E2B =
      new PythonPackages(SOURCES, Path.of("target/python").toAbsolutePath());

  /// What tests an API against its description.
  private static final PythonPackages OPENAPI =
      new PythonPackages(
          SOURCES.resolve("openapi"), Path.of("target/python-openapi").toAbsolutePath());

  private static final long INSTALL_SECONDS = 600;

  private final Path sources;
  private final Path installed;

  private PythonPackages(Path sources, Path installed) {
    this.sources = sources;
    this.installed = installed;
  }

  /// Runs one of the programs in `src/test/python`, or another with the same packages.
  public static ProcessBuilder program(String... arguments) {
    return E2B.run("python", arguments);
  }

  /// Runs schemathesis with the configuration and the hooks in `src/test/python/openapi`.
  ///
  /// @param directory where it keeps what it has found
  public static ProcessBuilder schemathesis(Path directory) {
    String configuration = OPENAPI.sources.resolve("schemathesis.toml").toString();
    ProcessBuilder builder =
        OPENAPI.run("schemathesis", "--no-color", "--config-file", configuration, "run");
    builder.directory(directory.toFile());
    builder.environment().put("PYTHONPATH", OPENAPI.sources.toString());
    builder.environment().put("SCHEMATHESIS_HOOKS", "hooks");
    return builder;
  }

  /// The environment of the published `e2b` package; see [#run].
  public static Path installed() {
    return E2B.environment();
  }

  private ProcessBuilder run(String program, String... arguments) {
    ProcessBuilder builder =
        new ProcessBuilder(environment().resolve("bin").resolve(program).toString());
    builder.command().addAll(List.of(arguments));
    builder.directory(sources.toFile());
    builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
    return builder;
  }

  /// The environment. Without Python the test that asks is skipped and says so; it fails where `CI=true`.
  private Path environment() {
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
    MadeOnce.make(this::install);
    return installed;
  }

  private void install() throws IOException {
    Path stamp = installed.resolve(".installed-requirements.txt");
    String wanted = Files.readString(sources.resolve("requirements.txt"));
    if (Files.exists(stamp) && Files.readString(stamp).equals(wanted)) {
      return;
    }
    long started = System.nanoTime();
    ProcessBuilder venv =
        new ProcessBuilder("python3", "-m", "venv", "--clear", installed.toString());
    Shell.run(venv, INSTALL_SECONDS).requireSuccess();
    ProcessBuilder pip =
        new ProcessBuilder(
            installed.resolve("bin/python").toString(),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary=:all:",
            "--require-hashes",
            "--requirement",
            sources.resolve("requirements.txt").toString());
    Shell.run(pip, INSTALL_SECONDS).requireSuccess();
    Files.writeString(stamp, wanted);
    Measured.print("pip install: %.1f s", Measured.seconds(Measured.since(started)));
  }
}

package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.tests.harness.AgentProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The image by itself: what it holds, and that its launcher needs nothing but a shell.
final class ImageIT {
  private static final Path IMAGE =
      Path.of(System.getProperty("sandpiper.image", "../agent/target/sandpiper"))
          .toAbsolutePath()
          .normalize();
  private static final Path LAUNCHER = IMAGE.resolve("bin/sandpiper");

  @TempDir Path directory;

  /// What a program printed and how it ended.
  private record Outcome(int status, String out, String err) {}

  @Test
  void startsWithoutEnvironment() throws Exception {
    assertPrintsVersion(run(directory, "env", "-i", LAUNCHER.toString(), "--version"));
  }

  @Test
  void startsThroughRelativeAndAbsoluteLinks() throws Exception {
    Path bin = Files.createDirectory(directory.resolve("bin"));
    Path absolute = Files.createSymbolicLink(bin.resolve("absolute"), LAUNCHER);
    Path relative =
        Files.createSymbolicLink(directory.resolve("relative"), Path.of("bin/absolute"));

    assertPrintsVersion(run(directory, absolute.toString(), "--version"));
    assertPrintsVersion(run(directory, relative.toString(), "--version"));
    assertPrintsVersion(run(bin, "./absolute", "--version"));
    assertPrintsVersion(
        run(Path.of("/"), "env", "PATH=" + bin + ":/usr/bin:/bin", "absolute", "--version"));
  }

  @Test
  void startsFromAPathWithSpacesAndShellCharacters() throws Exception {
    Path copy = directory.resolve("a b'$x*");
    run(directory, "cp", "-a", IMAGE.toString(), copy.toString());

    assertPrintsVersion(run(directory, copy.resolve("bin/sandpiper").toString(), "--version"));
    assertPrintsVersion(run(copy.resolve("bin"), "sh", "sandpiper", "--version"));
  }

  @Test
  void startsWithEveryStandardDescriptorClosed() throws Exception {
    var outcome =
        run(directory, "sh", "-c", "\"$0\" --version <&- >&- 2>&-; echo $?", LAUNCHER.toString());

    assertThat(outcome.out()).isEqualTo("0\n");
  }

  @Test
  void ignoresJavaOptionsMeantForOtherPrograms() throws Exception {
    assertPrintsVersion(
        run(
            directory,
            "env",
            "JAVA_TOOL_OPTIONS=-Xmx1g",
            "JDK_JAVA_OPTIONS=-Dx=y",
            "_JAVA_OPTIONS=-Dx=y",
            LAUNCHER.toString(),
            "--version"));
  }

  @Test
  void theAotCacheIsUsed() throws Exception {
    try (var agent = AgentProcess.start()) {
      assertThat(Files.readString(Path.of("/proc", Long.toString(agent.pid()), "maps")))
          .contains("/lib/sandpiper.aot");
    }
  }

  @Test
  void aCacheThatDoesNotFitTheJarSpoilsOnlyTheSpeed() throws Exception {
    Path copy = directory.resolve("copy");
    run(directory, "cp", "-a", IMAGE.toString(), copy.toString());
    run(directory, "touch", copy.resolve("lib/sandpiper.jar").toString());

    var outcome = run(directory, copy.resolve("bin/sandpiper").toString(), "--version");

    assertThat(outcome.out()).startsWith("sandpiper ").hasLineCount(1);
    assertThat(outcome.status()).isZero();
  }

  @Test
  void nativeLibrariesAreUnpackedAndOfThisArchitectureOnly() throws Exception {
    String other = System.getProperty("os.arch").equals("amd64") ? "aarch" : "x86";
    try (Stream<Path> files = Files.walk(IMAGE.resolve("lib/native"))) {
      assertThat(files.filter(Files::isRegularFile).map(Path::toString))
          .isNotEmpty()
          .allMatch(name -> name.endsWith(".so"))
          .noneMatch(name -> name.contains(other));
    }
    try (var jar = new ZipFile(IMAGE.resolve("lib/sandpiper.jar").toFile())) {
      assertThat(jar.stream().map(Object::toString))
          .noneMatch(name -> name.matches(".+\\.(so|dll|dylib|jnilib|RSA|DSA|SF)"));
    }
  }

  private static void assertPrintsVersion(Outcome outcome) {
    assertThat(outcome.err()).isEmpty();
    assertThat(outcome.out()).startsWith("sandpiper ").endsWith("\n");
    assertThat(outcome.status()).isZero();
  }

  private Outcome run(Path workingDirectory, String... command)
      throws IOException, InterruptedException {
    Path out = Files.createTempFile(directory, "out", ".txt");
    Path err = Files.createTempFile(directory, "err", ".txt");
    var arguments = List.of(command);
    var process =
        new ProcessBuilder(arguments)
            .directory(workingDirectory.toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    process.getOutputStream().close();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("%s ends", arguments).isTrue();
    return new Outcome(
        process.exitValue(),
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }
}

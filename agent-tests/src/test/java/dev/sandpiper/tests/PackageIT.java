package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Json;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What is passed on: the archive of the image, its size, what it needs and what it is made of.
final class PackageIT {
  private static final Path IMAGE = AgentProcess.image();
  private static final Path CLASS_PATH = IMAGE.resolveSibling("image.classpath");
  private static final Path TOOLS = Path.of("../tools").toAbsolutePath().normalize();
  private static final long MOST_BYTES_UNPACKED = 90_000_000;
  private static final long MOST_BYTES_PACKED = 40_000_000;
  private static final int OLDEST_GLIBC = 29; // 2.29, which the agent asks for itself
  private static final Pattern GLIBC = Pattern.compile("\0GLIBC_2\\.(\\d+)");

  @TempDir Path directory;

  @BeforeAll
  static void builtHere() {
    assumeTrue(Files.exists(CLASS_PATH), "the image under test was not built here");
  }

  private static Path archive() throws IOException {
    try (Stream<Path> files = Files.list(IMAGE.resolve("..").normalize())) {
      return files
          .filter(file -> file.getFileName().toString().matches("sandpiper-.+-linux-.+\\.tar\\.gz"))
          .findFirst()
          .orElseThrow();
    }
  }

  private static List<Path> files(Path root) throws IOException {
    try (Stream<Path> files = Files.walk(root)) {
      return files
          .filter(file -> Files.isRegularFile(file) && !Files.isSymbolicLink(file))
          .toList();
    }
  }

  private static Path java() {
    return Path.of(System.getProperty("java.home"), "bin/java");
  }

  @Test
  void isWithinItsBudget() throws IOException {
    long unpacked = 0;
    for (Path file : files(IMAGE)) {
      unpacked += Files.size(file);
    }
    long packed = Files.size(archive());
    Measured.print("image: %.1f MB, as tar.gz %.1f MB", unpacked / 1e6, packed / 1e6);
    assertThat(unpacked).isLessThanOrEqualTo(MOST_BYTES_UNPACKED);
    assertThat(packed).isLessThanOrEqualTo(MOST_BYTES_PACKED);
  }

  /// Two copies that differ in everything but names and contents.
  @Test
  void theArchiveIsTheSameBytesForTheSameFiles() throws IOException {
    Path copy = directory.resolve("copy");
    Shell.run("cp", "-a", IMAGE.toString(), copy.toString()).requireSuccess();
    for (Path file : files(copy)) {
      if (!file.endsWith("lib/sandpiper.jar")) {
        Files.setLastModifiedTime(file, FileTime.from(Instant.EPOCH));
        boolean executable = Files.isExecutable(file);
        Files.setPosixFilePermissions(
            file, PosixFilePermissions.fromString(executable ? "rwx------" : "rw-------"));
      }
    }
    Path again = directory.resolve("again.tar.gz");
    String top = archive().getFileName().toString().replaceFirst("-linux-.*", "");

    Shell.run(
            new ProcessBuilder(
                java().toString(),
                TOOLS.resolve("Tarball.java").toString(),
                copy.toString(),
                again.toString(),
                top),
            300)
        .requireSuccess();

    assertThat(again).hasSameBinaryContentAs(archive());
  }

  @Test
  void theImageIsTheSameForTheSameClassPath() throws IOException {
    Path target = Files.createDirectories(directory.resolve("other/place"));
    var build =
        new ProcessBuilder(
            java().toString(),
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Dsandpiper.aot.skip=true",
            "-Dsandpiper.archive.skip=true",
            "-cp",
            Files.readString(CLASS_PATH),
            TOOLS.resolve("Image.java").toString(),
            archive().getFileName().toString().replaceFirst("sandpiper-(.+)-linux-.*", "$1"),
            target.resolve("image").toString());
    build.directory(TOOLS.resolveSibling("agent").toFile());

    Shell.run(build, 300).requireSuccess();

    Shell.run(
            "diff",
            "-r",
            "--no-dereference",
            "--exclude=sandpiper.aot",
            IMAGE.toString(),
            target.resolve("image").toString())
        .requireSuccess();
    assertThat(Files.getLastModifiedTime(target.resolve("image/lib/sandpiper.jar")))
        .isEqualTo(Files.getLastModifiedTime(IMAGE.resolve("lib/sandpiper.jar")));
  }

  @Test
  void whatIsUnpackedUsesItsCache() throws IOException {
    Shell.run("tar", "-xzf", archive().toString(), "-C", directory.toString()).requireSuccess();
    Path unpacked;
    try (Stream<Path> files = Files.list(directory)) {
      unpacked = files.filter(Files::isDirectory).findFirst().orElseThrow();
    }

    assertThat(startedOnlyWithCache(unpacked)).startsWith("sandpiper ");

    // That this tells the two apart:
    Files.setLastModifiedTime(unpacked.resolve("lib/sandpiper.jar"), FileTime.from(Instant.now()));
    assertThat(startedOnlyWithCache(unpacked)).contains("Unable to use AOT cache");
  }

  // `AOTMode=on` ends a JVM that cannot use its cache.
  private static String startedOnlyWithCache(Path image) {
    return Shell.run(
            image.resolve("runtime/bin/java").toString(),
            "@" + image.resolve("lib/jvm.options"),
            "-XX:AOTCache=" + image.resolve("lib/sandpiper.aot"),
            "-XX:AOTMode=on",
            "-Djava.library.path=" + image.resolve("lib/native"),
            "-cp",
            image.resolve("lib/sandpiper.jar").toString(),
            "dev.sandpiper.agent.Main",
            "--version")
        .stdout();
  }

  @Test
  void nothingInItNeedsANewerGlibcThanTheAgent() throws IOException {
    List<String> newer = new ArrayList<>();
    int libraries = 0;
    for (Path file : files(IMAGE)) {
      byte[] bytes = Files.readAllBytes(file);
      if (bytes.length > 4 && bytes[0] == 0x7f && bytes[1] == 'E' && bytes[2] == 'L') {
        libraries++;
        var versions = GLIBC.matcher(new String(bytes, StandardCharsets.ISO_8859_1));
        while (versions.find()) {
          if (Integer.parseInt(versions.group(1)) > OLDEST_GLIBC) {
            newer.add(IMAGE.relativize(file) + ": " + versions.group().substring(1));
          }
        }
      }
    }
    assertThat(libraries).isGreaterThan(5);
    assertThat(newer).isEmpty();
  }

  @Test
  void everyPartIsInTheBillAndHasItsLicence() throws IOException {
    String bill = Files.readString(IMAGE.resolve("share/sandpiper.cdx.json"));
    String table = Files.readString(IMAGE.resolve("licenses/README.txt"));
    String other = System.getProperty("os.arch").equals("amd64") ? "aarch" : "x86";
    assertThat(bill).contains("\"CycloneDX\"", "\"OpenJDK\"", "java.base java.logging");
    assertThat(bill).doesNotContain(other);
    int parts = 0;
    for (String element : Files.readString(CLASS_PATH).split(":", -1)) {
      String name = Path.of(element).getFileName().toString();
      if (name.endsWith(".jar") && !name.startsWith("sandpiper-") && !name.contains(other)) {
        parts++;
        String part = name.replaceFirst("-\\d.*", "");
        assertThat(bill).contains("\"name\": \"" + part + "\"");
        assertThat(table).contains("\n" + part + " ");
      }
    }
    assertThat(parts).isGreaterThan(20);
    for (String line : table.lines().skip(2).toList()) {
      String text = line.substring(line.lastIndexOf(' ') + 1);
      assertThat(IMAGE.resolve("licenses").resolve(text)).as(line).exists();
    }
  }

  /// As far as CycloneDX 1.6 demands it of the fields that are there; the whole schema is not at hand.
  @Test
  void theBillIsOneOfCycloneDx() throws IOException {
    Json bill = Json.parse(Files.readAllBytes(IMAGE.resolve("share/sandpiper.cdx.json")));
    assertThat(bill.object().keySet())
        .containsExactlyInAnyOrder("bomFormat", "specVersion", "version", "metadata", "components");
    assertThat(bill.string("bomFormat")).isEqualTo("CycloneDX");
    assertThat(bill.string("specVersion")).isEqualTo("1.6");
    assertThat(bill.number("version")).isPositive();
    List<Json> components = new ArrayList<>(bill.get("components").array());
    components.add(bill.get("metadata").get("component"));
    var refs = new HashSet<String>();
    for (Json component : components) {
      assertThat(component.string("type")).isIn("application", "library", "platform");
      assertThat(component.string("name")).isNotBlank();
      assertThat(component.string("version")).isNotBlank();
      assertThat(refs.add(component.string("bom-ref"))).as("%s is unique", component).isTrue();
      assertThat(component.object().keySet())
          .isSubsetOf(
              Set.of(
                  "type",
                  "bom-ref",
                  "publisher",
                  "group",
                  "name",
                  "version",
                  "hashes",
                  "licenses",
                  "purl",
                  "properties"));
      // One expression, or else licences with names or ids: the two are not mixed.
      assertThat(component.get("licenses").array()).hasSize(1);
      Json licence = component.get("licenses").array().getFirst();
      assertThat(licence.object().keySet()).containsExactly("expression");
      assertThat(licence.string("expression")).isNotBlank();
      if (!component.string("type").equals("application")) {
        Json hash = component.get("hashes").array().getFirst();
        assertThat(hash.string("alg")).isEqualTo("SHA-256");
        assertThat(hash.string("content")).matches("[0-9a-f]{64}");
      }
      if (component.string("type").equals("library")) {
        assertThat(component.string("purl")).startsWith("pkg:maven/" + component.string("group"));
      }
    }
    assertThat(components.size()).isGreaterThan(20);
  }
}

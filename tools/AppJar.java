import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/// Everything on the runtime class path in one jar, the same bytes for the same inputs.
///
/// Services are merged, signatures dropped, versioned classes put in the place of those they replace (the jar runs on
/// one Java only), native libraries and licences set aside for the image, and classes that nothing names left out. Two
/// different classes of one name fail the build, as the order of the class path would otherwise decide.
final class AppJar {
  private static final int JAVA = Runtime.version().feature();
  private static final String OWN = "dev/sandpiper/agent/";
  private static final LocalDateTime ENTRY_TIME = LocalDateTime.of(2026, 1, 1, 0, 0);
  private static final Instant FIRST_TIME = Instant.parse("2025-01-01T00:00:00Z");

  private static final String SERVICES = "META-INF/services/";
  private static final String CLASS = ".class";

  private static final Pattern VERSIONED = Pattern.compile("META-INF/versions/(\\d+)/(.+)");
  private static final Pattern LICENCE =
      Pattern.compile("(META-INF/)?[^/]*(LICEN[CS]E|NOTICE|COPYING)[^/]*|META-INF/licen[cs]es?/.+");
  private static final Pattern NATIVE = Pattern.compile(".+\\.(so|dll|dylib|jnilib|a|exe)");
  private static final Pattern DROPPED =
      Pattern.compile(
          String.join(
              "|",
              "(.*/)?module-info\\.class",
              "META-INF/MANIFEST\\.MF",
              "META-INF/[^/]+\\.(SF|RSA|DSA|EC)",
              "META-INF/(INDEX\\.LIST|DEPENDENCIES|AL2\\.0|LGPL2\\.1)",
              "META-INF/(maven|native-image|proguard|com\\.android\\.tools|sbom)/.+",
              ".+\\.proto",
              // Google's common messages: of these only google.rpc is spoken here.
              "com/google/(api|apps|cloud|geo|logging|longrunning|shopping|type)/.+"));

  private final Map<String, byte[]> entries = new TreeMap<>();
  private final Map<String, Integer> versions = new TreeMap<>();
  private final Map<String, LinkedHashSet<String>> services = new TreeMap<>();
  private final Map<String, byte[]> licences = new TreeMap<>();
  private final Map<String, byte[]> natives = new TreeMap<>();

  /// Adds one element of the class path, a jar or a directory of classes.
  void add(Path element) throws IOException {
    String artifact = element.getFileName().toString().replaceFirst("\\.jar$", "");
    if (Files.isDirectory(element)) {
      try (Stream<Path> files = Files.walk(element)) {
        for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
          add(artifact, element.relativize(file).toString(), Files.readAllBytes(file));
        }
      }
    } else {
      try (var jar = new ZipInputStream(Files.newInputStream(element))) {
        for (ZipEntry entry; (entry = jar.getNextEntry()) != null; ) {
          if (!entry.isDirectory()) {
            add(artifact, entry.getName(), jar.readAllBytes());
          }
        }
      }
    }
  }

  private void add(String artifact, String name, byte[] bytes) {
    var versioned = VERSIONED.matcher(name);
    if (versioned.matches()) {
      int version = Integer.parseInt(versioned.group(1));
      if (version <= JAVA) {
        put(artifact, versioned.group(2), bytes, version);
      }
    } else {
      put(artifact, name, bytes, 0);
    }
  }

  private void put(String artifact, String name, byte[] bytes, int version) {
    if (LICENCE.matcher(name).matches()) {
      licences.put(artifact + "/" + name.replaceFirst("^META-INF/", ""), bytes);
    } else if (NATIVE.matcher(name).matches()) {
      natives.put(name, bytes);
    } else if (name.startsWith(SERVICES)) {
      new String(bytes, StandardCharsets.UTF_8)
          .lines()
          .map(line -> line.replaceFirst("#.*", "").strip())
          .filter(line -> !line.isEmpty())
          .forEach(services.computeIfAbsent(name, _ -> new LinkedHashSet<>())::add);
    } else if (!DROPPED.matcher(name).matches()) {
      int before = versions.getOrDefault(name, -1);
      byte[] other = entries.get(name);
      if (before == version
          && name.endsWith(CLASS)
          && other != null
          && !Arrays.equals(other, bytes)) {
        throw new IllegalStateException(
            "the class path holds two different " + name + ", one of them in " + artifact);
      }
      if (version > before) {
        entries.put(name, bytes);
        versions.put(name, version);
      }
    }
  }

  /// The native libraries that were on the class path, by name.
  Map<String, byte[]> natives() {
    return natives;
  }

  /// The licences that came with each artifact, by `artifact/file`.
  Map<String, byte[]> licences() {
    return licences;
  }

  /// Writes the jar. Its time stamp follows from its content: the AOT cache accepts a jar by time and size, so a jar
  /// with other content must have another time, and the same content the same.
  ///
  /// @param modules of the Java runtime that it is for
  void write(Path target, String mainClass, String version, List<String> modules)
      throws IOException {
    leaveOutUnused(modules);
    String manifest =
        String.join(
            "\r\n",
            List.of(
                "Manifest-Version: 1.0",
                "Main-Class: " + mainClass,
                "Implementation-Title: Sandpiper",
                "Implementation-Version: " + version,
                "",
                ""));
    var all = new TreeMap<>(entries);
    all.replaceAll((name, bytes) ->
        name.startsWith("dev/sandpiper/") && name.endsWith(".class")
            ? PlainCalls.in(bytes)
            : bytes);
    Files.createDirectories(target.getParent());
    Files.deleteIfExists(target);
    try (var out = new ZipOutputStream(Files.newOutputStream(target))) {
      out.setLevel(Deflater.BEST_COMPRESSION);
      write(out, "META-INF/MANIFEST.MF", manifest.getBytes(StandardCharsets.UTF_8));
      for (var entry : all.entrySet()) {
        write(out, entry.getKey(), entry.getValue());
      }
    }
    long offset = hash(target) % (365L * 24 * 3600);
    Files.setLastModifiedTime(target, FileTime.from(FIRST_TIME.plusSeconds(offset)));
  }

  private void leaveOutUnused(List<String> modules) throws IOException {
    var used = new Used(entries, natives.values(), name -> name.startsWith(OWN), modules);
    boolean more = true;
    while (more) {
      more = false;
      for (var service : services.entrySet()) {
        String type = service.getKey().substring(SERVICES.length());
        for (String provider : service.getValue()) {
          if (wanted(type, used) && !used.isKept(provider)) {
            used.keepAll(provider.replace('.', '/'));
            more = true;
          }
        }
      }
    }
    services.forEach((name, providers) ->
        providers.removeIf(provider ->
            !wanted(name.substring(SERVICES.length()), used) || !used.isKept(provider)));
    services.values().removeIf(Set::isEmpty);
    entries
        .keySet()
        .removeIf(name -> name.endsWith(CLASS) && !used.isKept(name.replaceFirst("\\.class$", "")));
    var lean = new Lean(Map.copyOf(entries), used);
    entries.replaceAll((name, bytes) ->
        name.endsWith(CLASS) && !name.startsWith(OWN)
            ? lean.lean(name.replaceFirst("\\.class$", ""))
            : bytes);
    services.forEach((name, providers) ->
        entries.put(
            name,
            providers.stream()
                .collect(Collectors.joining("\n", "", "\n"))
                .getBytes(StandardCharsets.UTF_8)));
  }

  // Other services are for libraries that are not here.
  private static boolean wanted(String service, Used used) {
    return used.isKept(service) && (service.startsWith("java.") || used.holds(service));
  }

  private static void write(ZipOutputStream out, String name, byte[] bytes) throws IOException {
    var entry = new ZipEntry(name);
    entry.setTimeLocal(ENTRY_TIME);
    out.putNextEntry(entry);
    out.write(bytes);
    out.closeEntry();
  }

  private static long hash(Path file) throws IOException {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file));
      return ByteBuffer.wrap(digest).getLong() >>> 1;
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}

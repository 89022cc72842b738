import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// What is bundled: a bill of materials in CycloneDX's JSON, and a licence for each part.
///
/// An artifact of a group that `LICENCES` does not know fails the build: whoever adds a library says here what it may be
/// passed on under.
final class Bill {
  private record Licence(String expression, String text) {}

  private static final Licence APACHE = new Licence("Apache-2.0", "LICENSE");

  private static final Map<String, Licence> LICENCES =
      Map.ofEntries(
          Map.entry("ch.qos.logback", new Licence("EPL-2.0 OR LGPL-2.1-only", "EPL-2.0.txt")),
          Map.entry("com.fasterxml.jackson.core", APACHE),
          Map.entry("com.google.android", APACHE),
          Map.entry("com.google.api.grpc", APACHE),
          Map.entry("com.google.code.findbugs", APACHE),
          Map.entry("com.google.code.gson", APACHE),
          Map.entry("com.google.errorprone", APACHE),
          Map.entry("com.google.guava", APACHE),
          Map.entry("com.google.j2objc", APACHE),
          Map.entry(
              "com.google.protobuf", new Licence("BSD-3-Clause", "BSD-3-Clause-protobuf.txt")),
          Map.entry("info.picocli", APACHE),
          Map.entry("io.grpc", APACHE),
          Map.entry("io.netty", APACHE),
          Map.entry("io.perfmark", APACHE),
          Map.entry("net.logstash.logback", APACHE),
          Map.entry("org.codehaus.mojo", new Licence("MIT", "MIT-animal-sniffer.txt")),
          Map.entry("org.jspecify", APACHE),
          Map.entry("org.slf4j", new Licence("MIT", "slf4j-api-*/LICENSE.txt")),
          Map.entry("tools.jackson.core", APACHE));

  private record Part(String group, String name, String version, String classifier, Path jar) {
    Licence licence() {
      return LICENCES.get(group);
    }

    String purl() {
      return "pkg:maven/%s/%s@%s?%stype=jar"
          .formatted(
              group, name, version, classifier.isEmpty() ? "" : "classifier=" + classifier + "&");
    }
  }

  private final String version;
  private final String architecture;
  private final List<Part> parts = new ArrayList<>();

  Bill(String version, String architecture) {
    this.version = version;
    this.architecture = architecture;
  }

  /// Adds an element of the class path; what the project itself made is the application, and no part.
  void add(Path element) throws IOException {
    String file = element.getFileName().toString();
    if (!file.endsWith(".jar") || file.startsWith("sandpiper-")) {
      return;
    }
    // As in a Maven repository: GROUP/NAME/VERSION/NAME-VERSION[-CLASSIFIER].jar
    Path directory = element.toAbsolutePath().getParent();
    String partVersion = directory.getFileName().toString();
    String name = directory.getParent().getFileName().toString();
    String groupPath = directory.getParent().getParent().toString();
    String group =
        LICENCES.keySet().stream()
            .filter(known -> groupPath.endsWith("/" + known.replace('.', '/')))
            .findFirst()
            .orElseThrow(() -> new IOException("tools/Bill.java states no licence for " + element));
    String classifier =
        file.substring((name + "-" + partVersion).length(), file.length() - ".jar".length())
            .replaceFirst("^-", "");
    boolean other =
        classifier.startsWith("linux-")
            && !classifier.replace("_", "").endsWith(architecture.replace("_", ""));
    if (!other) {
      parts.add(new Part(group, name, partVersion, classifier, element));
    }
  }

  /// Leaves the texts in `licenses` that no artifact brings itself, and `README.txt`, which names each part's.
  ///
  /// @param texts where they come from
  void writeLicences(Path texts, Path licenses) throws IOException {
    Set<String> missing = new TreeSet<>();
    parts.forEach(part -> missing.add(part.licence().text()));
    for (String text : missing) {
      if (Files.exists(texts.resolve(text))) {
        Files.copy(
            texts.resolve(text), licenses.resolve(text), StandardCopyOption.REPLACE_EXISTING);
      }
    }
    var table = new TreeMap<String, String>();
    for (Part part : parts) {
      String text = part.licence().text().replace("*", part.version());
      if (!Files.exists(licenses.resolve(text))) {
        throw new IOException("no text of the licence of " + part.purl() + ": " + text);
      }
      table.put(part.name() + " " + part.version(), part.licence().expression() + "  " + text);
    }
    Files.writeString(
        licenses.resolve("README.txt"),
        table.entrySet().stream()
            .map(row -> "%-48s %s\n".formatted(row.getKey(), row.getValue()))
            .collect(
                Collectors.joining(
                    "",
                    "Sandpiper is under the licence in LICENSE. What is bundled with it:\n\n",
                    "%-48s %s\n"
                        .formatted(
                            "Java runtime " + Runtime.version(),
                            "GPL-2.0-only WITH Classpath-exception-2.0  ../runtime/legal"))));
  }

  /// Writes the bill: the application, the Java runtime, every artifact that the jar was made of.
  void write(Path target, Path runtime, List<String> modules) throws IOException {
    var components = new ArrayList<String>();
    components.add(
        """
        {
          "type": "platform",
          "bom-ref": "java-runtime",
          "publisher": "%s",
          "name": "OpenJDK",
          "version": "%s",
          "hashes": [{"alg": "SHA-256", "content": "%s"}],
          "licenses": [{"expression": "GPL-2.0-only WITH Classpath-exception-2.0"}],
          "properties": [{"name": "sandpiper:modules", "value": "%s"}]
        }\
        """
            .formatted(
                System.getProperty("java.vendor"),
                Runtime.version(),
                sha256(runtime.resolve("lib/modules")),
                String.join(" ", modules)));
    for (Part part : parts) {
      components.add(
          """
          {
            "type": "library",
            "bom-ref": "%s",
            "group": "%s",
            "name": "%s",
            "version": "%s",
            "hashes": [{"alg": "SHA-256", "content": "%s"}],
            "licenses": [{"expression": "%s"}],
            "purl": "%s"
          }\
          """
              .formatted(
                  part.purl(),
                  part.group(),
                  part.name(),
                  part.version(),
                  sha256(part.jar()),
                  part.licence().expression(),
                  part.purl()));
    }
    Files.createDirectories(target.getParent());
    Files.writeString(
        target,
        """
        {
          "bomFormat": "CycloneDX",
          "specVersion": "1.6",
          "version": 1,
          "metadata": {
            "component": {
              "type": "application",
              "bom-ref": "sandpiper",
              "name": "sandpiper",
              "version": "%s",
              "licenses": [{"expression": "Apache-2.0"}],
              "properties": [{"name": "sandpiper:architecture", "value": "%s"}]
            }
          },
          "components": [
        %s
          ]
        }
        """
            .formatted(
                version, architecture, String.join(",\n", components).indent(4).stripTrailing()));
  }

  private static String sha256(Path file) throws IOException {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}

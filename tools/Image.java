import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;

/// Builds the runnable image from the class path of the agent:
///
///     bin/sandpiper        the launcher
///     lib/sandpiper.jar    the application, everything in one jar
///     lib/jvm.options      the JVM's flags, each with its reason
///     lib/sandpiper.aot    the JVM's cache for it, from a training run
///     lib/native/          native libraries of this architecture
///     runtime/             a Java runtime with the modules needed, no more
///     licenses/            those of what is bundled
///
/// Run by the build as `java -cp CLASSPATH tools/Image.java VERSION TARGET`. Parts whose inputs did not change are left
/// as they are.
final class Image {
  private static final String MAIN_CLASS = "dev.sandpiper.agent.Main";

  // The least set the agent runs with. Logback, Jackson and Netty name more (java.xml, java.naming,
  // jdk.jfr), but only for
  // what is not used here: configuration by XML, directory look-ups, flight-recorder events.
  private static final List<String> MODULES =
      List.of(
          "java.base",
          "java.logging", // grpc-java links against it
          "jdk.unsupported" // sun.misc.Unsafe: without it Netty starts 45 ms later
          );

  private static final List<String> JLINK =
      List.of(
          "--strip-java-debug-attributes", // 10 MB of line numbers of the JDK's own classes
          "--no-header-files",
          "--no-man-pages",
          "--compress=zip-9");

  private final Path root;
  private final Path target;
  private final String version;

  private Image(Path root, Path target, String version) {
    this.root = root;
    this.target = target;
    this.version = version;
  }

  public static void main(String[] args) throws IOException {
    if (args.length != 2) {
      System.err.println("usage: java -cp CLASSPATH tools/Image.java VERSION TARGET");
      System.exit(2);
    }
    // The working directory is the agent's module.
    new Image(Path.of("").toAbsolutePath(), Path.of(args[1]).toAbsolutePath(), args[0]).build();
  }

  private void build() throws IOException {
    runtime();
    application();
    copyTree(root.resolve("src/image"), target);
    Files.setPosixFilePermissions(
        target.resolve("bin/sandpiper"), PosixFilePermissions.fromString("rwxr-xr-x"));
    Files.copy(
        root.resolve("../LICENSE"),
        target.resolve("licenses/LICENSE"),
        StandardCopyOption.REPLACE_EXISTING);
    aotCache();
  }

  // Never fails the build: the image works without, only it starts slower. The black-box tests do
  // not let that pass.
  private void aotCache() throws IOException {
    Path cache = target.resolve("lib/sandpiper.aot");
    Path stamp = target.resolveSibling("aot.stamp");
    Path jar = target.resolve("lib/sandpiper.jar");
    String inputs =
        String.join(
            "\n",
            Files.readString(target.resolveSibling("runtime.stamp")),
            Files.getLastModifiedTime(jar) + " " + Files.size(jar),
            Files.readString(target.resolve("lib/jvm.options")),
            Files.readString(root.resolve("../tools/Train.java")));
    if (Files.exists(cache) && Files.exists(stamp) && Files.readString(stamp).equals(inputs)) {
      return;
    }
    Files.deleteIfExists(cache);
    if (Boolean.getBoolean("sandpiper.aot.skip")) {
      return;
    }
    try {
      new AotCache(target, MAIN_CLASS).record(cache);
      Files.writeString(stamp, inputs);
    } catch (IOException e) {
      System.err.println("*".repeat(100));
      System.err.println(
          "image: NO AOT CACHE was recorded, so the agent starts about three times slower.");
      System.err.println("image: " + e.getMessage());
      System.err.println("*".repeat(100));
    }
  }

  private void runtime() throws IOException {
    Path home = target.resolve("runtime");
    Path stamp = target.resolveSibling("runtime.stamp");
    String inputs =
        String.join("\n", System.getProperty("java.vm.version"), MODULES.toString(), JLINK + "\n");
    if (Files.isDirectory(home) && Files.exists(stamp) && Files.readString(stamp).equals(inputs)) {
      return;
    }
    Files.deleteIfExists(stamp);
    deleteTree(home);
    Files.createDirectories(target);
    var arguments = new ArrayList<>(JLINK);
    arguments.addAll(
        List.of("--add-modules", String.join(",", MODULES), "--output", home.toString()));
    var jlink =
        ToolProvider.findFirst("jlink")
            .orElseThrow(() -> new IllegalStateException("this JDK has no jlink: " + javaHome()));
    int status =
        jlink.run(
            new PrintWriter(System.err, true),
            new PrintWriter(System.err, true),
            arguments.toArray(String[]::new));
    if (status != 0) {
      throw new IllegalStateException("jlink of " + javaHome() + " failed with " + status);
    }
    Files.writeString(stamp, inputs);
  }

  private static String javaHome() {
    return System.getProperty("java.home");
  }

  private void application() throws IOException {
    var jar = new AppJar();
    for (String element : System.getProperty("java.class.path").split(":")) {
      if (!element.isEmpty()) {
        jar.add(Path.of(element));
      }
    }
    jar.write(target.resolve("lib/sandpiper.jar"), MAIN_CLASS, version);

    deleteTree(target.resolve("lib/native"));
    Files.createDirectories(target.resolve("lib/native"));
    byte[] netty = jar.natives().get("META-INF/native/" + nettyLibrary());
    if (netty == null) {
      throw new IllegalStateException("no " + nettyLibrary() + " on the class path");
    }
    Files.write(target.resolve("lib/native").resolve(nettyLibrary()), netty);
    deleteTree(target.resolve("licenses"));
    for (var licence : jar.licences().entrySet()) {
      Path file = target.resolve("licenses").resolve(licence.getKey());
      Files.createDirectories(file.getParent());
      Files.write(file, licence.getValue());
    }
  }

  // Unpacked here, so that nothing is unpacked at start, where it would cost time and need a
  // writable directory.
  private static String nettyLibrary() {
    String arch = System.getProperty("os.arch");
    return switch (arch) {
      case "amd64" -> "libnetty_transport_native_epoll_x86_64.so";
      case "aarch64" -> "libnetty_transport_native_epoll_aarch_64.so";
      default ->
          throw new IllegalStateException(
              "no image for " + arch + ": Sandpiper runs on amd64 and aarch64");
    };
  }

  private static void copyTree(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path copy = to.resolve(from.relativize(file).toString());
        Files.createDirectories(copy.getParent());
        Files.copy(file, copy, StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  static void deleteTree(Path tree) throws IOException {
    if (Files.exists(tree)) {
      try (Stream<Path> files = Files.walk(tree)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }
}

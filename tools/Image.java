import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// Builds the runnable image from the class path of the agent:
///
///     bin/sandpiper        the launcher
///     lib/sandpiper.jar    the application, everything in one jar
///     lib/jvm.options      the JVM's flags, each with its reason
///     lib/sandpiper.aot    the JVM's cache for it, from a training run
///     lib/native/          native libraries of this architecture
///     runtime/             a Java runtime with the modules needed, no more
///     licenses/            those of what is bundled, with a table
///     share/               the bill of materials
///
/// and, beside it, `sandpiper-VERSION-linux-ARCH.tar.gz` of it.
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
          "--exclude-resources="
              // 0.3 MB: names of characters, a program that is left out below, its translations and
              // others
              + "/java.base/java/lang/uniName.dat"
              + ",/java.base/sun/security/tools/keytool/Main*.class"
              + ",/java.base/**_de.*,/java.base/**_ja.*,/java.base/**_zh_CN.*",
          "--order-resources=**", // by name: else jlink's order differs from run to run
          "--compress=zip-9");

  // What no program of the image opens.
  private static final List<String> NOT_NEEDED =
      List.of(
          "bin/keytool",
          "lib/jexec",
          "lib/libjsig.so", // for programs that embed a JVM
          "lib/server/libjsig.so",
          "lib/libsimdsort.so", // sorts large arrays of numbers, of which there are none
          "lib/jrt-fs.jar", // the runtime's files, for Java 8
          "lib/classlist"); // for a default archive of classes, whose place the AOT cache takes

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
    deleteTree(target.resolve("bin"));
    copyTree(root.resolve("src/image"), target);
    stacks();
    aotCache();
    setPermissions();
    if (!Boolean.getBoolean("sandpiper.archive.skip")) { // whoever compares two images needs none
      Tarball.write(
          target,
          target.resolveSibling("sandpiper-" + version + "-linux-" + architecture() + ".tar.gz"),
          "sandpiper-" + version);
    }
  }

  // Kernels of aarch64 may have pages of 64 KiB. With these the JVM takes 320 KiB of each stack for
  // its
  // guards, and does not start with less than 448.
  private void stacks() throws IOException {
    if (!architecture().equals("aarch64")) {
      return;
    }
    Path options = target.resolve("lib/jvm.options");
    String text = Files.readString(options);
    if (!text.contains("\n-Xss256k\n")) {
      throw new IllegalStateException("jvm.options has no -Xss256k to replace");
    }
    Files.writeString(options, text.replace("\n-Xss256k\n", "\n-Xss512k\n"));
  }

  // Whatever umask the build runs with: the image serves any user.
  private void setPermissions() throws IOException {
    try (Stream<Path> files = Files.walk(target)) {
      for (Path file : files.filter(file -> !Files.isSymbolicLink(file)).toList()) {
        boolean executable =
            Files.isDirectory(file)
                || file.getParent().endsWith("bin")
                || file.endsWith("runtime/lib/jspawnhelper");
        Files.setPosixFilePermissions(
            file, PosixFilePermissions.fromString(executable ? "rwxr-xr-x" : "rw-r--r--"));
      }
    }
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
        String.join(
            "\n",
            System.getProperty("java.vm.version"),
            MODULES.toString(),
            JLINK.toString(),
            NOT_NEEDED.toString(),
            methodHandles(),
            Files.readString(root.resolve("../tools/Elf.java")));
    if (Files.isDirectory(home) && Files.exists(stamp) && Files.readString(stamp).equals(inputs)) {
      return;
    }
    Files.deleteIfExists(stamp);
    deleteTree(home);
    Files.createDirectories(target);
    Path handles = Files.writeString(target.resolveSibling("method-handles.txt"), methodHandles());
    var arguments = new ArrayList<>(JLINK);
    arguments.add("--generate-jli-classes=@" + handles);
    arguments.addAll(
        List.of("--add-modules", String.join(",", MODULES), "--output", home.toString()));
    jlink(arguments);
    for (String file : NOT_NEEDED) {
      Files.deleteIfExists(home.resolve(file));
    }
    try (Stream<Path> files = Files.walk(home)) {
      for (Path library : files.filter(file -> file.toString().endsWith(".so")).toList()) {
        Elf.strip(library);
      }
    }
    Files.writeString(stamp, inputs);
  }

  // The JDK's own list, which a list of ours replaces, and ours.
  private String methodHandles() throws IOException {
    URI list = URI.create("jrt:/jdk.jlink/jdk/tools/jlink/internal/plugins/default_jli_trace.txt");
    return Files.readString(Path.of(list))
        + Files.readString(root.resolve("../tools/method-handles.txt"));
  }

  // In a JVM of its own, in which all objects have the same hash. The order of jlink's plugins is
  // that of a hash table: what one generates was stripped by another, or not, by chance.
  private static void jlink(List<String> arguments) throws IOException {
    Path jlink = Path.of(System.getProperty("java.home"), "bin/jlink");
    if (!Files.isExecutable(jlink)) {
      throw new IOException("this JDK has no jlink: " + jlink);
    }
    var command = new ArrayList<String>();
    command.add(jlink.toString());
    for (String flag :
        List.of(
            "-XX:+UnlockExperimentalVMOptions",
            "-XX:hashCode=2",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC")) {
      command.add("-J" + flag);
    }
    command.addAll(arguments);
    Process running = new ProcessBuilder(command).inheritIO().start();
    try {
      int status = running.waitFor();
      if (status != 0) {
        throw new IOException(jlink + " failed with " + status);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private void application() throws IOException {
    // Kept for whoever builds the same image again.
    Files.writeString(
        target.resolveSibling("image.classpath"), System.getProperty("java.class.path"));
    List<Path> classPath =
        Stream.of(System.getProperty("java.class.path").split(":"))
            .filter(element -> !element.isEmpty())
            .map(Path::of)
            .toList();
    Path stamp = target.resolveSibling("jar.stamp");
    String inputs =
        String.join(
            "\n",
            version,
            Files.readString(target.resolveSibling("runtime.stamp")),
            listing(classPath),
            toolsText());
    if (Files.exists(target.resolve("lib/sandpiper.jar"))
        && Files.exists(stamp)
        && Files.readString(stamp).equals(inputs)) {
      return;
    }
    Files.deleteIfExists(stamp);
    var jar = new AppJar();
    for (Path element : classPath) {
      jar.add(element);
    }
    jar.write(target.resolve("lib/sandpiper.jar"), MAIN_CLASS, version, MODULES);

    deleteTree(target.resolve("lib/native"));
    Files.createDirectories(target.resolve("lib/native"));
    byte[] netty = jar.natives().get("META-INF/native/" + nettyLibrary());
    if (netty == null) {
      throw new IllegalStateException("no " + nettyLibrary() + " on the class path");
    }
    Files.write(target.resolve("lib/native").resolve(nettyLibrary()), netty);
    deleteTree(target.resolve("licenses"));
    Files.createDirectories(target.resolve("licenses"));
    for (var licence : jar.licences().entrySet()) {
      Path file = target.resolve("licenses").resolve(licence.getKey());
      Files.createDirectories(file.getParent());
      Files.write(file, licence.getValue());
    }
    Files.copy(root.resolve("../LICENSE"), target.resolve("licenses/LICENSE"));
    var bill = new Bill(version, architecture());
    for (Path element : classPath) {
      bill.add(element);
    }
    bill.writeLicences(root.resolve("../tools/licences"), target.resolve("licenses"));
    bill.write(target.resolve("share/sandpiper.cdx.json"), target.resolve("runtime"), MODULES);
    Files.writeString(stamp, inputs);
  }

  private static String listing(List<Path> classPath) throws IOException {
    var listing = new StringBuilder();
    for (Path element : classPath) {
      try (Stream<Path> files = Files.walk(element)) {
        for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
          listing.append(
              "%s %d %s\n".formatted(file, Files.size(file), Files.getLastModifiedTime(file)));
        }
      }
    }
    return listing.toString();
  }

  private String toolsText() throws IOException {
    var text = new StringBuilder();
    for (String tool : List.of("AppJar", "Bill", "Image", "Lean", "PlainCalls", "Used")) {
      text.append(Files.readString(root.resolve("../tools/" + tool + ".java")));
    }
    return text.toString();
  }

  // Unpacked here, so that nothing is unpacked at start, where it would cost time and need a
  // writable directory.
  private static String nettyLibrary() {
    return "libnetty_transport_native_epoll_"
        + architecture().replace("aarch64", "aarch_64")
        + ".so";
  }

  /// As `uname -m` says it.
  private static String architecture() {
    String arch = System.getProperty("os.arch");
    return switch (arch) {
      case "amd64" -> "x86_64";
      case "aarch64" -> "aarch64";
      default ->
          throw new IllegalStateException(
              "no image for " + arch + ": Sandpiper runs on x86-64 and aarch64");
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

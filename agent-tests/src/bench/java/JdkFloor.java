import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.spi.ToolProvider;

/// Makes the JDK-only server ready to run: `JdkFloor SOURCE JVM_OPTIONS DIRECTORY`.
///
/// It gets what Sandpiper's image gets: a jlinked runtime of its own, the same flags, and an AOT cache of its own,
/// recorded in the same way. What is there from an earlier build with these flags is kept.
final class JdkFloor {
  private JdkFloor() {}

  public static void main(String[] arguments) throws IOException, InterruptedException {
    Path source = Path.of(arguments[0]);
    Path flags = Path.of(arguments[1]);
    Path target = Path.of(arguments[2]).toAbsolutePath();
    Path options = target.resolve("jvm.options");
    Path cache = target.resolve("server.aot");
    if (Files.exists(cache) && Files.mismatch(flags, options) == -1) {
      return;
    }
    if (Files.exists(target)) {
      try (var files = Files.walk(target)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
    Path classes = Files.createDirectories(target.resolve("classes"));
    Files.copy(flags, options);
    Path jar = target.resolve("server.jar");
    tool("javac", "-d", classes.toString(), source.toString());
    tool("jar", "--create", "--file", jar.toString(), "-C", classes.toString(), ".");
    tool(
        "jlink",
        "--add-modules",
        "jdk.httpserver",
        "--strip-java-debug-attributes",
        "--compress=zip-9",
        "--no-header-files",
        "--no-man-pages",
        "--output",
        target.resolve("runtime").toString());
    var recording =
        List.of(
            target.resolve("runtime/bin/java").toString(),
            "@" + options,
            "-XX:TieredStopAtLevel=1",
            "-XX:AOTCacheOutput=" + cache,
            "-cp",
            jar.toString(),
            "HealthServer",
            "0");
    int status = new ProcessBuilder(recording).inheritIO().start().waitFor();
    if (status != 0 || !Files.exists(cache)) {
      throw new IOException("no AOT cache of the JDK-only server; the JVM ended with " + status);
    }
  }

  private static void tool(String name, String... arguments) {
    ToolProvider tool =
        ToolProvider.findFirst(name)
            .orElseThrow(() -> new IllegalStateException("this JDK has no " + name));
    int status = tool.run(System.err, System.err, arguments);
    if (status != 0) {
      throw new IllegalStateException(name + " failed with " + status);
    }
  }
}

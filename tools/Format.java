import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.FormatterException;
import com.google.googlejavaformat.java.ImportOrderer;
import com.google.googlejavaformat.java.JavaFormatterOptions;
import com.google.googlejavaformat.java.JavaFormatterOptions.Style;
import com.google.googlejavaformat.java.RemoveUnusedImports;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;

/// Formats every Java source below the current directory, or checks that it is formatted.
///
/// Run by the build with google-java-format on the class path: `Format.java check` prints what differs and exits 1;
/// `Format.java apply` rewrites it.
final class Format {
  private static final Formatter FORMATTER =
      new Formatter(
          JavaFormatterOptions.builder().style(Style.GOOGLE).formatJavadoc(false).build());

  private Format() {}

  public static void main(String[] args) throws IOException {
    boolean apply = args.length == 1 && args[0].equals("apply");
    if (!apply && !(args.length == 1 && args[0].equals("check"))) {
      System.err.println("usage: Format.java check|apply");
      System.exit(2);
    }
    var changed = new ConcurrentLinkedQueue<Path>();
    var broken = new ConcurrentLinkedQueue<String>();
    sources().parallelStream()
        .forEach(path -> {
          try {
            String before = Files.readString(path);
            String after = format(before);
            if (!after.equals(before)) {
              changed.add(path);
              if (apply) {
                Files.writeString(path, after);
              }
            }
          } catch (IOException | FormatterException e) {
            broken.add(path + ": " + e.getMessage());
          }
        });
    broken.forEach(line -> System.err.println("format: cannot format " + line));
    changed.forEach(
        path -> System.err.println("format: " + (apply ? "formatted " : "not formatted: ") + path));
    if (!broken.isEmpty() || (!apply && !changed.isEmpty())) {
      System.err.println("format: run `make fmt`");
      System.exit(1);
    }
  }

  private static String format(String source) throws FormatterException {
    String tidy = RemoveUnusedImports.removeUnusedImports(source);
    return FORMATTER.formatSource(ImportOrderer.reorderImports(tidy, Style.GOOGLE));
  }

  private static List<Path> sources() throws IOException {
    try (var found =
        Files.find(
            Path.of("."),
            Integer.MAX_VALUE,
            (path, attributes) ->
                attributes.isRegularFile()
                    && path.getFileName().toString().endsWith(".java")
                    && !path.toString().contains("/target/")
                    && !path.toString().contains("/node_modules/"))) {
      return found.map(Path::normalize).sorted().toList();
    }
  }
}

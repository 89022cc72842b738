package dev.sandpiper.tests.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// Programs that the tests themselves need, run to their end.
public final class Shell {
  private Shell() {}

  /// What a program left: exit code (128 and more for signals, as Java counts) and both outputs apart.
  public record Result(List<String> command, int exitCode, String stdout, String stderr) {
    public Result requireSuccess() {
      if (exitCode != 0) {
        throw new AssertionError(this);
      }
      return this;
    }
  }

  public static Result run(String... command) {
    return run(new ProcessBuilder(command), Deadline.PATIENCE.toSeconds());
  }

  /// Runs with files as outputs, so that no reader is needed.
  public static Result run(ProcessBuilder builder, long limitSeconds) {
    Path out = null;
    Path err = null;
    try {
      out = Files.createTempFile("sandpiper-test-", ".out");
      err = Files.createTempFile("sandpiper-test-", ".err");
      Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
      if (!process.waitFor(limitSeconds, TimeUnit.SECONDS)) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
        throw new AssertionError(
            "not finished in "
                + limitSeconds
                + " s: "
                + builder.command()
                + "\n"
                + text(out)
                + text(err));
      }
      return new Result(builder.command(), process.exitValue(), text(out), text(err));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    } finally {
      delete(out);
      delete(err);
    }
  }

  private static String text(Path file) throws IOException {
    return Files.readString(file, StandardCharsets.UTF_8);
  }

  private static void delete(@org.jspecify.annotations.Nullable Path file) {
    if (file != null) {
      try {
        Files.deleteIfExists(file);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}

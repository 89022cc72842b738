package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.watch.TreeWatch.Progress;
import dev.sandpiper.agent.posix.InotifyReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// A temporary directory with a watch on it, driven by the test's own thread.
final class WatchedTree implements AutoCloseable {
  static final User USER = new User("tester", 0, 0, List.of(0), "/", "/bin/sh");

  final Path base;
  final Path root;
  final Path outside;
  final List<WatchEvent> events = new ArrayList<>();
  final Budget budget;
  private final InotifyReader reader = new InotifyReader();
  private final TreeWatch watch;
  boolean over;

  WatchedTree() throws WatchFailure {
    this(true, _ -> {});
  }

  /// What is done to the directory before the watch begins.
  interface Preparation {
    void in(Path root) throws IOException;
  }

  WatchedTree(boolean recursive, Preparation before) throws WatchFailure {
    this(recursive, new Budget(100_000), before);
  }

  WatchedTree(Budget budget, Preparation before) throws WatchFailure {
    this(true, budget, before);
  }

  private WatchedTree(boolean recursive, Budget budget, Preparation before) throws WatchFailure {
    this.budget = budget;
    try {
      base = Files.createTempDirectory("watch-test-");
      root = Files.createDirectory(base.resolve("root"));
      outside = Files.createDirectory(base.resolve("outside"));
      before.in(root);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Sink sink =
        new Sink() {
          @Override
          public void event(WatchEvent event) {
            events.add(event);
          }

          @Override
          public boolean closed() {
            return false;
          }
        };
    watch =
        TreeWatch.open(
            new WatchRequest(root.toString(), recursive, false, false, USER),
            _ -> null,
            budget,
            sink,
            reader);
  }

  /// Looks at what has come so far.
  Progress turn() throws WatchFailure {
    Progress progress = watch.turn(reader, System.nanoTime());
    over |= progress == Progress.OVER;
    return progress;
  }

  /// Looks at everything that happened until now.
  List<String> drain() throws WatchFailure {
    while (true) {
      Progress progress = turn();
      if (progress == Progress.IDLE || progress == Progress.OVER) {
        return take();
      }
    }
  }

  private List<String> take() {
    List<String> told = events.stream().map(e -> e.type() + " " + e.name()).toList();
    events.clear();
    return told;
  }

  @Override
  public void close() {
    watch.close();
    reader.close();
    remove(base);
  }

  static void remove(Path path) {
    try (Stream<Path> all = Files.walk(path)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

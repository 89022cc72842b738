package dev.sandpiper.agent.filesystem.watch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.filesystem.watch.TreeWatch.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Random changes made as fast as they can be while the watch looks on. Whoever believes its events knows the tree.
final class TreeWatchRandomTest {
  private static final int RUNS =
      Integer.getInteger("watch.runs", Boolean.getBoolean("sandpiper.proof") ? 1_500 : 50);
  private static final int CHANGES = 120;

  @Test
  void believingTheEventsIsKnowingTheTree() throws Exception {
    long first = Long.getLong("watch.seed", System.nanoTime());
    for (int run = 0; run < RUNS; run++) {
      long seed = first + run;
      try (WatchedTree tree = new WatchedTree()) {
        run(tree, new Random(seed));
      } catch (AssertionError | Exception e) {
        throw new AssertionError("-Dwatch.runs=1 -Dwatch.seed=" + seed + "\n" + e.getMessage(), e);
      }
    }
  }

  private static void run(WatchedTree tree, Random random) throws Exception {
    Changes changes = new Changes(tree, random);
    boolean atOnce = random.nextInt(4) == 0;
    if (atOnce) {
      changes.make(CHANGES);
    }
    CompletableFuture<Void> done =
        atOnce
            ? CompletableFuture.completedFuture(null)
            : CompletableFuture.runAsync(() -> changes.make(CHANGES));
    while (!done.isDone()) {
      tree.turn();
    }
    done.join();
    while (tree.turn() != Progress.IDLE) {}
    Believer believer = new Believer();
    List<String> story = new ArrayList<>();
    for (WatchEvent event : tree.events) {
      story.add(event.type() + " " + event.name());
      try {
        believer.hear(event);
      } catch (AssertionError e) {
        throw new AssertionError(changes.story() + "\n--\n" + String.join("\n", story), e);
      }
    }
    Set<String> missing = names(tree.root);
    missing.removeAll(believer.names);
    Set<String> surplus = new TreeSet<>(believer.names);
    surplus.removeAll(names(tree.root));
    // What a directory holds that passed through one that was not watched is told anew, and only
    // what is still there.
    surplus.removeAll(believer.inferred);
    assertThat(List.of(missing, surplus))
        .as(() -> changes.story() + "\n--\n" + String.join("\n", story) + "\nmissing, surplus")
        .allMatch(Set::isEmpty);
  }

  private static Set<String> names(Path root) throws IOException {
    try (Stream<Path> all = Files.walk(root)) {
      return all.filter(path -> !path.equals(root))
          .map(path -> root.relativize(path).toString())
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  /// Builds the set of names from events alone. A directory's new name begins with its old one, so that the two events of
  /// its rename can be put together.
  private static final class Believer {
    final Set<String> names = new TreeSet<>();
    private final Map<String, Set<String>> renamed = new HashMap<>();

    /// What came with a directory, without a CREATE of its own. It may have one: a directory that passed through one that was
    /// not watched yet is as good as new.
    private final Set<String> inferred = new HashSet<>();

    void hear(WatchEvent event) {
      String name = event.name();
      switch (event.type()) {
        case CREATE -> {
          assertThat(names.add(name) || inferred.remove(name)).as("CREATE %s once", name).isTrue();
          Set<String> below = renamed.remove(stem(name));
          if (below != null) {
            move(below, name);
          }
        }
        case REMOVE -> {
          assertThat(names).as("REMOVE of what is there").contains(name);
          cut(name);
        }
        case RENAME -> {
          assertThat(names).as("RENAME of what is there").contains(name);
          rename(stem(name), cut(name));
        }
        case WRITE, CHMOD ->
            assertThat(names).as(event.type() + " of what is there").contains(name);
      }
    }

    /// The new name mostly comes after the old one; where a new directory was listed meanwhile, it has come already.
    private void rename(String stem, Set<String> below) {
      Optional<String> now = names.stream().filter(each -> stem(each).equals(stem)).findFirst();
      if (now.isPresent()) {
        move(below, now.get());
      } else {
        renamed.put(stem, below);
      }
    }

    private void move(Set<String> below, String to) {
      for (String each : below) {
        if (names.add(to + each)) {
          inferred.add(to + each);
        }
      }
    }

    private Set<String> cut(String name) {
      Set<String> below = new TreeSet<>();
      for (String each : List.copyOf(names)) {
        if (each.equals(name) || each.startsWith(name + "/")) {
          names.remove(each);
          below.add(each.substring(name.length()));
        }
      }
      below.remove("");
      return below;
    }

    private static String stem(String path) {
      return path.substring(path.lastIndexOf('/') + 1).split("~", 2)[0];
    }
  }

  /// Changes of all kinds.
  private static final class Changes {
    private final WatchedTree tree;
    private final Random random;
    final List<String> log = new ArrayList<>();
    private final List<Path> directories = new ArrayList<>();
    private final List<Path> files = new ArrayList<>();
    private final List<Path> away = new ArrayList<>();
    private int next;

    Changes(WatchedTree tree, Random random) {
      this.tree = tree;
      this.random = random;
      directories.add(tree.root);
    }

    void make(int count) {
      try {
        for (int i = 0; i < count; i++) {
          one();
          if (random.nextInt(10) == 0) {
            Thread.sleep(0, random.nextInt(300_000));
          }
        }
      } catch (IOException | InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    String story() {
      return String.join("\n", log).replace(tree.root + "/", "").replace(tree.base + "/", "");
    }

    private Path some(List<Path> of) {
      return of.get(random.nextInt(of.size()));
    }

    private Path recent(List<Path> of) {
      return of.get(Math.max(0, of.size() - 1 - random.nextInt(4)));
    }

    private void one() throws IOException {
      int dice = random.nextInt(100);
      if (dice < 30) {
        Path made = Files.createDirectory(recent(directories).resolve("d" + next++));
        directories.add(made);
        log.add("mkdir " + made);
      } else if (dice < 50) {
        Path made = recent(directories).resolve("f" + next++);
        Files.writeString(made, random.nextBoolean() ? "content" : "");
        files.add(made);
        log.add("write " + made);
      } else if (dice < 55 && !files.isEmpty()) {
        Files.writeString(some(files), "more");
      } else if (dice < 60 && !files.isEmpty()) {
        Files.setPosixFilePermissions(
            some(files),
            PosixFilePermissions.fromString(random.nextBoolean() ? "rw-------" : "rw-r--r--"));
      } else if (dice < 66 && !files.isEmpty()) {
        Path gone = some(files);
        files.remove(gone);
        Files.delete(gone);
        log.add("rm " + gone);
      } else if (dice < 72 && !files.isEmpty()) {
        Path from = some(files);
        Path to = renamed(from, some(directories));
        Files.move(from, to);
        files.set(files.indexOf(from), to);
        log.add("mv " + from + " " + to);
      } else if (dice < 84 && directories.size() > 1) {
        Path from = directories.get(1 + random.nextInt(directories.size() - 1));
        Path into = some(directories);
        if (!into.startsWith(from)) {
          Path to = renamed(from, into);
          Files.move(from, to);
          replace(directories, from, to);
          replace(files, from, to);
          log.add("mv " + from + " " + to);
        }
      } else if (dice < 89 && directories.size() > 1) {
        Path from = directories.get(1 + random.nextInt(directories.size() - 1));
        Path to = renamed(from, tree.outside);
        Files.move(from, to);
        directories.removeIf(each -> each.startsWith(from));
        files.removeIf(each -> each.startsWith(from));
        away.add(to);
        log.add("mv " + from + " " + to);
      } else if (dice < 93 && !away.isEmpty()) {
        Path from = away.remove(random.nextInt(away.size()));
        Path to = some(directories).resolve("b" + next++);
        Files.move(from, to);
        log.add("mv " + from + " " + to);
        try (Stream<Path> all = Files.walk(to)) {
          all.forEach(each -> (Files.isDirectory(each) ? directories : files).add(each));
        }
      } else if (dice < 97 && directories.size() > 1) {
        Path gone = directories.get(1 + random.nextInt(directories.size() - 1));
        WatchedTree.remove(gone);
        directories.removeIf(each -> each.startsWith(gone));
        files.removeIf(each -> each.startsWith(gone));
        log.add("rm -r " + gone);
      } else if (!away.isEmpty()) {
        Path into = some(away);
        Files.writeString(into.resolve("x" + next++), "seen by nobody");
      }
    }

    private Path renamed(Path from, Path into) {
      String name = from.getFileName().toString().split("~", 2)[0];
      return into.resolve(name + "~" + next++);
    }

    private static void replace(List<Path> paths, Path from, Path to) {
      paths.replaceAll(each -> each.startsWith(from) ? to.resolve(from.relativize(each)) : each);
    }
  }
}

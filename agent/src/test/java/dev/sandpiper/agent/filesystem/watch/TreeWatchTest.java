package dev.sandpiper.agent.filesystem.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileNames;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

final class TreeWatchTest {
  private static final String UPLOAD = ".sandpiper-upload-%c0123456789abcdef0123456789abcdef";

  @Test
  void changesOfAFileAreToldInOrder() throws Exception {
    try (WatchedTree tree = new WatchedTree(false, _ -> {})) {
      Path file = tree.root.resolve("f");
      Files.writeString(file, "one");
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
      Files.move(file, tree.root.resolve("g"));
      Files.delete(tree.root.resolve("g"));
      assertThat(tree.drain())
          .containsExactly("CREATE f", "WRITE f", "CHMOD f", "RENAME f", "CREATE g", "REMOVE g");
    }
  }

  @Test
  void overwritingIsAWriteAndNoCreate() throws Exception {
    try (WatchedTree tree =
        new WatchedTree(false, root -> Files.writeString(root.resolve("f"), "one"))) {
      Files.writeString(tree.root.resolve("f"), "two");
      assertThat(new HashSet<>(tree.drain())).containsExactly("WRITE f");
    }
  }

  @Test
  void withoutRecursionNothingBelowIsTold() throws Exception {
    try (WatchedTree tree = new WatchedTree(false, _ -> {})) {
      Files.createDirectories(tree.root.resolve("a/b"));
      Files.writeString(tree.root.resolve("a/f"), "x");
      assertThat(tree.drain()).containsExactly("CREATE a");
    }
  }

  @Test
  void whatWasThereAndWhatHappenedBeforeIsNotTold() throws Exception {
    try (WatchedTree tree =
        new WatchedTree(true, root -> Files.createDirectories(root.resolve("a/b")))) {
      assertThat(tree.drain()).isEmpty();
      Files.writeString(tree.root.resolve("a/b/f"), "");
      assertThat(tree.drain()).containsExactly("CREATE a/b/f");
    }
  }

  @Test
  void eachEntryOfATreeMadeAtOnceIsToldOnce() throws Exception {
    try (WatchedTree tree = new WatchedTree()) {
      Set<String> expected = new TreeSet<>();
      for (int i = 0; i < 20; i++) {
        Path directory = tree.root.resolve("w" + i);
        for (int depth = 0; depth < 12; depth++) {
          Files.createDirectory(directory);
          expected.add("CREATE " + tree.root.relativize(directory));
          Path file = directory.resolve("f");
          Files.writeString(file, "x");
          expected.add("CREATE " + tree.root.relativize(file));
          directory = directory.resolve("d");
        }
      }
      List<String> told = tree.drain();
      assertThat(told.stream().filter(each -> each.startsWith("CREATE")))
          .containsExactlyInAnyOrderElementsOf(expected);
      expected.stream()
          .filter(each -> each.endsWith("/f"))
          .forEach(each -> assertThat(told).contains(each.replace("CREATE", "WRITE")));
    }
  }

  @Test
  void aTreeThatMovesInIsToldOnceWithWritesOfWhatHasContent() throws Exception {
    try (WatchedTree tree = new WatchedTree()) {
      Path made = Files.createDirectories(tree.outside.resolve("t/a"));
      Files.writeString(made.resolve("full"), "x");
      Files.createFile(made.resolve("empty"));
      Files.move(tree.outside.resolve("t"), tree.root.resolve("t"));
      assertThat(tree.drain())
          .containsExactlyInAnyOrder(
              "CREATE t", "CREATE t/a", "CREATE t/a/full", "WRITE t/a/full", "CREATE t/a/empty");
    }
  }

  @Test
  void aRenamedDirectoryTellsDeepEventsUnderItsNewName() throws Exception {
    try (WatchedTree tree =
        new WatchedTree(true, root -> Files.createDirectories(root.resolve("a/b/c")))) {
      Files.move(tree.root.resolve("a"), tree.root.resolve("n"));
      Files.createFile(tree.root.resolve("n/b/c/f"));
      Files.createDirectory(tree.root.resolve("n/b/c/d"));
      assertThat(tree.drain())
          .containsExactly("RENAME a", "CREATE n", "CREATE n/b/c/f", "CREATE n/b/c/d");
      Files.createFile(tree.root.resolve("n/b/c/d/g"));
      assertThat(tree.drain()).containsExactly("CREATE n/b/c/d/g");
    }
  }

  @Test
  void aDirectoryThatMovesOutIsToldNoMore() throws Exception {
    try (WatchedTree tree =
        new WatchedTree(true, root -> Files.createDirectories(root.resolve("a/b")))) {
      Files.move(tree.root.resolve("a"), tree.outside.resolve("a"));
      Files.createFile(tree.outside.resolve("a/b/f"));
      assertThat(tree.drain()).containsExactly("RENAME a");
      Files.createFile(tree.outside.resolve("a/b/g"));
      assertThat(tree.drain()).isEmpty();
    }
  }

  @Test
  void aRemovedRootIsToldAndThenNothing() throws Exception {
    try (WatchedTree tree = new WatchedTree()) {
      Files.delete(tree.root);
      assertThat(tree.drain()).containsExactly("REMOVE .");
      assertThat(tree.over).isTrue();
      Files.createDirectory(tree.root); // for the clean-up
    }
  }

  @Test
  void aRenamedRootIsToldAndEndsTheWatchWithAReason() throws Exception {
    try (WatchedTree tree = new WatchedTree()) {
      Files.move(tree.root, tree.outside.resolve("root"));
      assertThatThrownBy(tree::drain)
          .isInstanceOf(WatchFailure.class)
          .hasMessageContaining(tree.root.toString())
          .hasMessageContaining("was renamed");
      assertThat(tree.events).extracting(WatchEvent::name).containsExactly(".");
      assertThat(tree.events).extracting(WatchEvent::type).containsExactly(WatchEvent.Type.RENAME);
    }
  }

  @Test
  void namesThatAreNotUtf8AreEscapedAndDoNotEndTheWatch() throws Exception {
    try (WatchedTree tree = new WatchedTree()) {
      String name = FileNames.decode(new byte[] {'a', (byte) 0xFF, 'b'});
      assertThat(Posix.mkdir(tree.root + "/" + name, 0755)).isZero();
      assertThat(Posix.mkdir(tree.root + "/" + name + "/sub", 0755)).isZero();
      assertThat(tree.drain()).containsExactly("CREATE a\uefffb", "CREATE a\uefffb/sub");
      Posix.rmdir(tree.root + "/" + name + "/sub");
      Posix.rmdir(tree.root + "/" + name);
    }
  }

  @Test
  void anUploadIsToldUnderItsOwnNameOnly() throws Exception {
    try (WatchedTree tree = new WatchedTree()) {
      upload(tree.root, 'c', "new", "content");
      assertThat(tree.drain()).containsExactly("CREATE new", "WRITE new");
      upload(tree.root, 'r', "new", "other content");
      assertThat(tree.drain()).containsExactly("WRITE new");
      upload(tree.root, 'c', "empty", "");
      assertThat(tree.drain()).containsExactly("CREATE empty");
      Path given = tree.root.resolve(UPLOAD.formatted('c'));
      Files.writeString(given, "given up");
      Files.delete(given);
      assertThat(tree.drain()).isEmpty();
    }
  }

  @Test
  void aFileThatGetsItsNameWhenItIsWrittenAlreadyIsAWriteToo() throws Exception {
    try (WatchedTree tree = new WatchedTree()) {
      int flags = Fcntl.O_TMPFILE | Fcntl.O_RDWR | Fcntl.O_CLOEXEC;
      int fd = Posix.open(tree.root.toString(), flags, 0644);
      assumeTrue(fd >= 0, "needs O_TMPFILE");
      Posix.write(fd, ByteBuffer.allocateDirect(8));
      Posix.fchmod(fd, 0600);
      assertThat(At.link(fd, Fcntl.AT_FDCWD, tree.root + "/f")).isZero();
      Posix.close(fd);
      Files.createLink(tree.root.resolve("second"), tree.root.resolve("f"));
      assertThat(tree.drain()).contains("CREATE f", "CREATE second").doesNotContain("WRITE second");
      fd = Posix.open(tree.root.toString(), flags, 0644);
      Posix.write(fd, ByteBuffer.allocateDirect(8));
      Posix.fchmod(fd, 0600);
      assertThat(At.link(fd, Fcntl.AT_FDCWD, tree.root + "/g")).isZero();
      Posix.close(fd);
      assertThat(tree.drain()).containsExactly("CREATE g", "WRITE g");
    }
  }

  private static void upload(Path directory, char kind, String name, String content)
      throws IOException {
    Path temporary = directory.resolve(UPLOAD.formatted(kind));
    Files.writeString(temporary, content);
    Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rw-r--r--"));
    Posix.rename(temporary.toString(), directory.resolve(name).toString());
  }

  @Test
  void moreEventsThanTheKernelKeepsEndTheWatchWithTheLimit() throws Exception {
    String shown = KernelLimits.value("max_queued_events");
    long limit = Long.parseLong(shown.substring(shown.indexOf('=') + 2));
    assertThat(limit).as(shown).isGreaterThan(9);
    try (WatchedTree tree = new WatchedTree(false, _ -> {})) {
      Path file = tree.root.resolve("f");
      Path other = tree.root.resolve("g");
      Files.createFile(file);
      for (long i = 0; i < limit; i++) { // two events each, none like the one before
        Posix.rename(file.toString(), other.toString());
        Posix.rename(other.toString(), file.toString());
      }
      assertThatThrownBy(tree::drain)
          .isInstanceOf(WatchFailure.class)
          .hasMessageContaining("fs.inotify.max_queued_events = " + limit);
    }
  }

  @Test
  void moreDirectoriesThanAllowedAreAnErrorThatNamesTheSetting() {
    Budget two = new Budget(2);
    assertThatThrownBy(
            () -> new WatchedTree(two, root -> Files.createDirectories(root.resolve("a/b"))))
        .isInstanceOf(WatchFailure.class)
        .hasMessageContaining("--watch-directories")
        .hasMessageContaining("/a/b");
    assertThat(two.used()).as("all given back").isZero();
  }

  @Test
  void directoriesGoneFromTheTreeAreGivenBack() throws Exception {
    try (WatchedTree tree = new WatchedTree()) {
      for (int i = 0; i < 50; i++) {
        Files.createDirectories(tree.root.resolve("a/b/c"));
        tree.drain();
        WatchedTree.remove(tree.root.resolve("a"));
        tree.drain();
      }
      assertThat(tree.budget.used()).isEqualTo(1);
    }
  }

  @Test
  void kernelFileSystemsAreNotDescendedInto() throws Exception {
    int used;
    try (WatchedTree _ = new WatchedTree()) {
      Budget budget = new Budget(1_000_000);
      WatchRequest proc = new WatchRequest("/proc", true, false, false, WatchedTree.USER);
      try (var reader = new dev.sandpiper.agent.posix.InotifyReader();
          TreeWatch _ = TreeWatch.open(proc, _ -> null, budget, new NoSink(), reader)) {
        used = budget.used();
      }
    }
    assertThat(used).isEqualTo(1);
  }

  private static final class NoSink implements Sink {
    @Override
    public void event(WatchEvent event) {}

    @Override
    public boolean closed() {
      return false;
    }
  }

  @Test
  void whatCannotBeReadIsLeftOutAndTheRestWorks() throws Exception {
    try (WatchedTree tree =
        new WatchedTree(
            true,
            root -> {
              Files.createSymbolicLink(root.resolve("loop"), Path.of("."));
              Files.createDirectory(root.resolve("ok"));
            })) {
      Files.createFile(tree.root.resolve("ok/f"));
      assertThat(tree.drain()).containsExactly("CREATE ok/f");
    }
  }

  @Test
  void aGitLikeStormLosesNothing() throws Exception {
    try (WatchedTree tree = new WatchedTree()) {
      Thread writer =
          Thread.ofPlatform()
              .start(() -> {
                try {
                  for (int i = 0; i < 2_000; i++) {
                    Path directory = tree.root.resolve("d" + i % 40 + "/e" + i % 7);
                    Files.createDirectories(directory);
                    Path lock = directory.resolve("f" + i + ".lock");
                    Files.writeString(lock, "x");
                    Files.move(lock, directory.resolve("f" + i));
                  }
                } catch (IOException e) {
                  throw new IllegalStateException(e);
                }
              });
      while (writer.isAlive()) {
        tree.turn();
      }
      List<String> created =
          tree.drain().stream().filter(each -> each.startsWith("CREATE")).toList();
      assertThat(created).doesNotHaveDuplicates();
      Set<String> expected = new TreeSet<>();
      try (Stream<Path> all = Files.walk(tree.root)) {
        all.filter(path -> !path.equals(tree.root))
            .forEach(path -> expected.add("CREATE " + tree.root.relativize(path)));
      }
      assertThat(created).containsAll(expected);
    }
  }
}

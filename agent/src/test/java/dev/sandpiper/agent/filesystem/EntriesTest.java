package dev.sandpiper.agent.filesystem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.posix.Xattrs;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class EntriesTest {
  @TempDir Path temporary;
  private Path dir = Path.of("/");
  private final Users users = new Users();
  private final FileWork work = new FileWork(users, false);
  private final Entries entries = new Entries(users, work);
  private final User self = users.self();

  @BeforeEach
  void resolve() throws Exception {
    dir = temporary.toRealPath();
  }

  @AfterEach
  void close() {
    work.close();
  }

  private String path(String name) {
    return dir + "/" + name;
  }

  private String file(String name, String text) throws Exception {
    return Files.writeString(dir.resolve(name), text).toString();
  }

  private void mode(String name, String mode) throws Exception {
    Files.setPosixFilePermissions(dir.resolve(name), PosixFilePermissions.fromString(mode));
  }

  private static AbstractThrowableAssert<?, ?> fails(Kind kind, ThrowingCallable call) {
    return assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            FileFailure.class, failure -> assertThat(failure.kind()).isEqualTo(kind));
  }

  private List<Entry> list(String path, int depth) throws FileFailure {
    List<Entry> all = new ArrayList<>();
    try (Listing listing = entries.list(path, depth)) {
      boolean complete =
          listing.run(entry -> {
            all.add(entry);
            return true;
          });
      assertThat(complete).isTrue();
    }
    return all;
  }

  private List<String> below(List<Entry> all) {
    return all.stream().map(entry -> entry.path().substring(dir.toString().length() + 1)).toList();
  }

  // Stat.

  @Test
  void fileHasItsFacts() throws Exception {
    String file = file("a.txt", "four");
    mode("a.txt", "rw-r-----");
    Instant time = Instant.parse("2026-01-02T03:04:05.678901234Z");
    Files.setLastModifiedTime(Path.of(file), FileTime.from(time));
    Entry entry = entries.stat(file);
    assertThat(entry.name()).isEqualTo("a.txt");
    assertThat(entry.type()).isEqualTo(Entry.Type.FILE);
    assertThat(entry.path()).isEqualTo(file);
    assertThat(entry.size()).isEqualTo(4);
    assertThat(entry.mode()).isEqualTo(0640);
    assertThat(entry.permissions()).isEqualTo("-rw-r-----");
    assertThat(entry.owner()).isEqualTo(self.name());
    assertThat(entry.modifiedSecond()).isEqualTo(time.getEpochSecond());
    assertThat(entry.modifiedNano()).isEqualTo(time.getNano());
    assertThat(entry.symlinkTarget()).isEmpty();
    assertThat(entry.metadata()).isEmpty();
  }

  @Test
  void linkHasItsOwnFactsWithTypeAndModeOfItsTarget() throws Exception {
    Files.createDirectory(dir.resolve("d"));
    mode("d", "rwx------");
    Files.createSymbolicLink(dir.resolve("l"), Path.of("m"));
    Files.createSymbolicLink(dir.resolve("m"), Path.of("d/../d"));
    Entry entry = entries.stat(path("l"));
    assertThat(entry.type()).isEqualTo(Entry.Type.DIRECTORY);
    assertThat(entry.mode()).isEqualTo(0700);
    assertThat(entry.permissions()).isEqualTo("Lrwxrwxrwx");
    assertThat(entry.size()).isOne();
    assertThat(entry.symlinkTarget()).contains(path("d"));
    assertThat(entry.path()).isEqualTo(path("l"));
  }

  @Test
  void linksThatLeadNowhereAreShownAsSuch() throws Exception {
    Files.createSymbolicLink(dir.resolve("broken"), Path.of("none"));
    Files.createSymbolicLink(dir.resolve("loop"), Path.of("loop"));
    for (String name : List.of("broken", "loop")) {
      Entry entry = entries.stat(path(name));
      assertThat(entry.type()).isEqualTo(Entry.Type.UNSPECIFIED);
      assertThat(entry.mode()).isZero();
      assertThat(entry.symlinkTarget()).contains(path(name));
    }
  }

  @Test
  void permissionsAreThoseOfEveryKind() throws Exception {
    assertThat(entries.stat("/tmp").permissions()).isEqualTo("dtrwxrwxrwx");
    assertThat(entries.stat("/dev/null").permissions()).isEqualTo("Dcrw-rw-rw-");
    assertThat(entries.stat("/dev/null").type()).isEqualTo(Entry.Type.UNSPECIFIED);
    Posix.mkfifo(path("fifo"), 0600);
    assertThat(entries.stat(path("fifo")).permissions()).isEqualTo("prw-------");
    Posix.chmod(file("s", ""), 06755);
    assertThat(entries.stat(path("s")).permissions()).isEqualTo("ugrwxr-xr-x");
    assertThat(entries.stat(path("s")).mode()).isEqualTo(0755);
    assertThat(entries.stat("/").name()).isEqualTo("/");
    assertThat(entries.stat(dir + "/").name()).isEqualTo(dir.getFileName().toString());
  }

  @Test
  void metadataIsWhatUserE2bHolds() throws Exception {
    String file = file("f", "");
    Xattrs.set(file, true, "user.e2b.b", "2".getBytes(StandardCharsets.UTF_8));
    Xattrs.set(file, true, "user.e2b.a", "größe".getBytes(StandardCharsets.UTF_8));
    Xattrs.set(file, true, "user.e2b.bad", new byte[] {(byte) 0xFF});
    Xattrs.set(file, true, "user.e2b.\uEFFF", new byte[] {'x'});
    Xattrs.set(file, true, "user.other", new byte[] {'x'});
    Files.createSymbolicLink(dir.resolve("l"), Path.of("f"));
    assertThat(entries.stat(file).metadata()).isEqualTo(Map.of("a", "größe", "b", "2"));
    assertThat(entries.stat(path("l")).metadata()).isEqualTo(Map.of("a", "größe", "b", "2"));
    int fd = Posix.open(file, Fcntl.O_RDWR, 0);
    assertThat(Metadata.replace(fd, Map.of("b", "3", "c", ""))).isZero();
    assertThat(Metadata.read(fd)).isEqualTo(Map.of("b", "3", "c", ""));
    Posix.close(fd);
    assertThat(Xattrs.get(file, true, "user.other")).isNotNull();
  }

  @Test
  void whatIsMissingOrCannotBeReachedIsSaid() throws Exception {
    fails(Kind.NOT_FOUND, () -> entries.stat(path("none")))
        .hasMessage("file not found: lstat " + path("none") + ": no such file or directory");
    String file = file("f", "");
    fails(Kind.OTHER, () -> entries.stat(file + "/x"))
        .hasMessage("error getting file info: lstat " + file + "/x: not a directory");
    Files.createSymbolicLink(dir.resolve("loop"), Path.of("loop"));
    fails(Kind.OTHER, () -> entries.stat(path("loop/x")))
        .hasMessageContaining("too many levels of symbolic links");
    fails(Kind.OTHER, () -> entries.stat("/" + "x".repeat(5000)))
        .hasMessageContaining("file name too long");
    fails(Kind.OTHER, () -> entries.stat("/a\0b")).hasMessageContaining("invalid argument");
  }

  // ListDir.

  @Test
  void listsBeforeWhatIsInsideAndInByteOrder() throws Exception {
    for (String each : List.of("b", "a/y", "a/x/deep", "a-b", "B", "é", "a/x/deep/er")) {
      Files.createDirectories(dir.resolve(each));
    }
    file("a/file", "");
    assertThat(below(list(dir.toString(), 0))).containsExactly("B", "a", "a-b", "b", "é");
    assertThat(below(list(dir.toString(), 1))).containsExactly("B", "a", "a-b", "b", "é");
    assertThat(below(list(dir.toString(), 2)))
        .containsExactly("B", "a", "a/file", "a/x", "a/y", "a-b", "b", "é");
    assertThat(below(list(dir + "//./", -1)))
        .containsExactly(
            "B", "a", "a/file", "a/x", "a/x/deep", "a/x/deep/er", "a/y", "a-b", "b", "é");
  }

  @Test
  void theRootMayBeALinkAndOthersAreNotDescendedInto() throws Exception {
    Files.createDirectories(dir.resolve("real/sub"));
    file("real/sub/f", "");
    Files.createSymbolicLink(dir.resolve("real/up"), Path.of(".."));
    Files.createSymbolicLink(dir.resolve("link"), Path.of("real"));
    assertThat(below(list(path("link"), 9))).containsExactly("link/sub", "link/sub/f", "link/up");
  }

  @Test
  void whatCannotBeListedIsSaid() throws Exception {
    fails(Kind.NOT_FOUND, () -> list(path("none"), 1))
        .hasMessage("path not found: lstat " + path("none") + ": no such file or directory");
    Files.createSymbolicLink(dir.resolve("broken"), Path.of("none"));
    fails(Kind.NOT_FOUND, () -> list(path("broken"), 1))
        .hasMessage("path not found: lstat " + path("none") + ": no such file or directory");
    Files.createSymbolicLink(dir.resolve("loop"), Path.of("loop"));
    fails(Kind.LOOP, () -> list(path("loop"), 1))
        .hasMessage("cyclic symlink or chain >255 links at \"" + path("loop") + "\"");
    String file = file("f", "");
    Files.createSymbolicLink(dir.resolve("toFile"), Path.of("f"));
    fails(Kind.INVALID, () -> list(path("toFile"), 1))
        .hasMessage("path is not a directory: " + file);
    fails(Kind.OTHER, () -> list(file + "/x", 1)).hasMessageStartingWith("error resolving symlink");
  }

  @Test
  void chainsOfLinksAreFollowedWhereTheKernelGivesUp() throws Exception {
    Files.createDirectory(dir.resolve("l0"));
    file("l0/f", "");
    for (int i = 1; i <= 256; i++) {
      Files.createSymbolicLink(dir.resolve("l" + i), Path.of("l" + (i - 1)));
    }
    assertThat(below(list(path("l255"), 1))).containsExactly("l255/f");
    fails(Kind.LOOP, () -> list(path("l256"), 1));
  }

  @Test
  void namesThatAreNotUtf8AreListedAndCanBeUsed() throws Exception {
    String odd = path("caf\uEFE9");
    Posix.close(Posix.open(odd, Fcntl.O_CREAT | Fcntl.O_WRONLY, 0600));
    List<Entry> all = list(dir.toString(), 1);
    assertThat(below(all)).containsExactly("caf\uEFE9");
    assertThat(entries.stat(all.get(0).path()).name()).isEqualTo("caf\uEFE9");
    assertThat(entries.move(odd, path("cafe"), self).path()).isEqualTo(path("cafe"));
    assertThat(below(list(dir.toString(), 1))).containsExactly("cafe");
    entries.move(path("cafe"), odd, self);
    entries.remove(odd);
    assertThat(list(dir.toString(), 1)).isEmpty();
  }

  @Test
  void aTreeThatChangesMeanwhileIsStillListed() throws Exception {
    for (int i = 0; i < 20; i++) {
      Files.createDirectories(dir.resolve("stays" + i + "/sub"));
    }
    AtomicBoolean over = new AtomicBoolean();
    Thread churn =
        Thread.ofPlatform()
            .start(() -> {
              for (int i = 0; !over.get(); i++) {
                String goes = path("goes" + i % 7);
                Posix.mkdir(goes, 0700);
                Posix.mkdir(goes + "/a", 0700);
                Posix.mkdir(goes + "/a/b", 0700);
                Posix.rename(goes + "/a", goes + "/c");
                Posix.rmdir(goes + "/c/b");
                Posix.rmdir(goes + "/c");
                Posix.rmdir(goes);
              }
            });
    try {
      for (int i = 0; i < 300; i++) {
        assertThat(below(list(dir.toString(), 5)).stream().filter(p -> p.startsWith("stays")))
            .hasSize(40);
      }
    } finally {
      over.set(true);
      churn.join();
    }
  }

  @Test
  void aListingIsLeftAndGoneOnWith() throws Exception {
    for (int i = 0; i < 5; i++) {
      Files.createDirectories(dir.resolve("d" + i + "/x"));
    }
    List<String> seen = new ArrayList<>();
    try (Listing listing = entries.list(dir.toString(), 2)) {
      boolean complete = false;
      for (int i = 0; !complete; i++) {
        assertThat(i).isLessThan(12);
        complete =
            listing.run(entry -> {
              seen.add(entry.name());
              return false;
            });
      }
    }
    assertThat(seen).containsExactly("d0", "x", "d1", "x", "d2", "x", "d3", "x", "d4", "x");
  }

  // MakeDir.

  @Test
  void makesWhatIsMissing() throws Exception {
    Entry made = entries.makeDir(path("a/b/c"), self);
    assertThat(made.path()).isEqualTo(path("a/b/c"));
    assertThat(made.type()).isEqualTo(Entry.Type.DIRECTORY);
    assertThat(made.permissions()).isEqualTo("drwxr-xr-x");
    fails(Kind.EXISTS, () -> entries.makeDir(path("a/b"), self))
        .hasMessage("directory already exists: " + path("a/b"));
    Files.createSymbolicLink(dir.resolve("l"), Path.of("a"));
    fails(Kind.EXISTS, () -> entries.makeDir(path("l"), self));
    assertThat(entries.makeDir(path("l/d"), self).path()).isEqualTo(path("l/d"));
    assertThat(dir.resolve("a/d")).isDirectory();
  }

  @Test
  void makesNothingWhereItCannot() throws Exception {
    String file = file("f", "");
    fails(Kind.INVALID, () -> entries.makeDir(file, self))
        .hasMessage("path already exists but it is not a directory: " + file);
    fails(Kind.OTHER, () -> entries.makeDir(file + "/x", self));
    Files.createSymbolicLink(dir.resolve("broken"), Path.of("none"));
    fails(Kind.OTHER, () -> entries.makeDir(path("broken"), self))
        .hasMessageStartingWith("failed to create directory: mkdir");
    fails(Kind.OTHER, () -> entries.makeDir(path("missing/../b"), self))
        .hasMessage(
            "failed to create directory: mkdir "
                + path("missing/../b")
                + ": no such file or directory");
    fails(Kind.OTHER, () -> entries.makeDir(path("made/" + "x".repeat(300)), self));
    assertThat(below(list(dir.toString(), 3))).containsExactly("broken", "f");
  }

  @Test
  void whatIsMadeBelongsToTheUser() throws Exception {
    org.assertj.core.api.Assumptions.assumeThat(Tasks.geteuid()).isZero();
    User other = new User("other", 61_001, 61_002, List.of(61_002), "/", "/bin/sh");
    Entry made = entries.makeDir(path("a/b"), other);
    assertThat(made.owner()).isEqualTo("61001");
    assertThat(made.group()).isEqualTo("61002");
    assertThat(entries.stat(path("a")).owner()).isEqualTo("61001");
    entries.move(file("f", ""), path("c/d/f"), other);
    assertThat(entries.stat(path("c")).owner()).isEqualTo("61001");
    assertThat(entries.stat(path("c/d/f")).owner()).isEqualTo(self.name());
  }

  // Remove.

  @Test
  void removesTreesAndWhatIsNotThere() throws Exception {
    Files.createDirectories(dir.resolve("t/a/b/c"));
    file("t/f", "");
    file("t/a/f", "");
    file("outside", "kept");
    Files.createSymbolicLink(dir.resolve("t/a/link"), dir);
    Files.createSymbolicLink(dir.resolve("out"), Path.of("t"));
    entries.remove(path("t/a/link/none"));
    entries.remove(path("none/at/all"));
    entries.remove(path("out"));
    assertThat(dir.resolve("t/f")).exists();
    entries.remove(path("t"));
    assertThat(below(list(dir.toString(), 1))).containsExactly("outside");
  }

  @Test
  void neverRemovesTheRootOrADot() throws Exception {
    Files.createSymbolicLink(dir.resolve("root"), Path.of("/"));
    for (String path : List.of("/", "//", "/.", "/..", "/tmp/..", dir + "/x/../../../../../..")) {
      fails(Kind.INVALID, () -> entries.remove(path)).hasMessageContaining("root directory");
    }
    fails(Kind.INVALID, () -> entries.remove(path("."))).hasMessageContaining("'.'");
    fails(Kind.INVALID, () -> entries.remove(path("root/..")));
    assertThat(dir).exists();
  }

  @Test
  void removesTreesThatAreDeepAndWide() throws Exception {
    String deep = path("t");
    Posix.mkdir(deep, 0700);
    int fd = Posix.open(deep, Fcntl.O_RDONLY, 0);
    for (int i = 0; i < 3000; i++) { // deeper than any path can say
      dev.sandpiper.agent.posix.At.mkdir(fd, "d", 0700);
      int next = dev.sandpiper.agent.posix.At.open(fd, "d", Fcntl.O_RDONLY, 0);
      Posix.close(fd);
      fd = next;
    }
    Posix.close(fd);
    for (int i = 0; i < 2500; i++) {
      Posix.mkdir(path("t/w" + i), 0700);
      Posix.mkdir(path("t/w" + i + "/x"), 0700);
    }
    entries.remove(deep);
    assertThat(dir.resolve("t")).doesNotExist();
  }

  @Test
  void linksThatAreSwappedInAreNotFollowed() throws Exception {
    Path kept = Files.createDirectories(dir.resolve("kept/sub"));
    for (int i = 0; i < 50; i++) {
      Files.createFile(kept.resolve("f" + i));
    }
    AtomicBoolean over = new AtomicBoolean();
    String victim = path("t/d");
    Thread swapper =
        Thread.ofPlatform()
            .start(() -> {
              while (!over.get()) {
                Posix.mkdir(path("t"), 0700);
                Posix.mkdir(victim, 0700);
                Posix.mkdir(victim + "/sub", 0700);
                Posix.rename(victim, path("t/away"));
                Posix.symlink(dir + "/kept", victim);
                Posix.unlink(victim);
                Posix.rmdir(path("t/away/sub"));
                Posix.rmdir(path("t/away"));
              }
            });
    try {
      for (int i = 0; i < 500; i++) {
        try {
          entries.remove(path("t"));
        } catch (FileFailure busy) {
          assertThat(busy).hasMessageStartingWith("error removing file or directory: ");
        }
      }
    } finally {
      over.set(true);
      swapper.join();
    }
    try (var files = Files.list(kept)) {
      assertThat(files).hasSize(50);
    }
  }

  // Move on one file system.

  @Test
  void movesAndReplacesFiles() throws Exception {
    String from = file("a", "new");
    file("b", "old");
    Entry moved = entries.move(from, path("b"), self);
    assertThat(moved.path()).isEqualTo(path("b"));
    assertThat(Files.readString(dir.resolve("b"))).isEqualTo("new");
    Files.createDirectories(dir.resolve("d/e"));
    entries.move(path("d"), path("x/y/z"), self);
    assertThat(dir.resolve("x/y/z/e")).isDirectory();
    entries.move(path("x/y/z"), path("w/"), self);
    assertThat(dir.resolve("w/e")).isDirectory();
    assertThat(entries.move(path("b"), path("b"), self).name()).isEqualTo("b");
    Files.createSymbolicLink(dir.resolve("broken"), Path.of("none"));
    assertThat(entries.move(path("broken"), path("b2"), self).symlinkTarget())
        .isEqualTo(Optional.of(path("b2")));
  }

  @Test
  void aMoveThatFailsLeavesEverythingAsItWas() throws Exception {
    fails(Kind.NOT_FOUND, () -> entries.move(path("none"), path("p/q/r"), self))
        .hasMessageStartingWith("source file not found: lstat");
    String file = file("f", "text");
    Files.createDirectories(dir.resolve("d/empty"));
    fails(Kind.OTHER, () -> entries.move(file, path("d"), self))
        .hasMessage("error renaming: rename " + file + " " + path("d") + ": file exists");
    fails(Kind.OTHER, () -> entries.move(path("d"), path("d/p/q"), self))
        .hasMessage(
            "error renaming: rename " + path("d") + " " + path("d/p/q") + ": invalid argument");
    fails(Kind.OTHER, () -> entries.move(path("d"), file + "/x", self))
        .hasMessage("path is a file: " + file);
    fails(Kind.OTHER, () -> entries.move(file, path("new/"), self))
        .hasMessageStartingWith("error renaming: ");
    fails(Kind.OTHER, () -> entries.move(path("d"), path("m/n/" + "x".repeat(300)), self));
    assertThat(below(list(dir.toString(), 9))).containsExactly("d", "d/empty", "f");
  }
}

package dev.sandpiper.agent.filesystem;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.posix.Xattrs;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// Moves between the file system of temporary files and the tmpfs that every Linux has.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class MoveAcrossTest {
  @TempDir Path here;
  private Path there = Path.of("/dev/shm");
  private final Users users = new Users();
  private final FileWork work = new FileWork(users, false);
  private final Entries entries = new Entries(users, work);
  private final User self = users.self();

  @BeforeEach
  void make() throws Exception {
    there = Files.createTempDirectory(Path.of("/dev/shm"), "sandpiper-move");
    assumeThat(status(here).device()).isNotEqualTo(status(there).device());
  }

  @AfterEach
  void remove() throws Exception {
    entries.remove(there.toString());
    work.close();
  }

  private static FileStatus status(Path path) {
    return requireNonNull(Posix.linkStatus(path.toString()));
  }

  private static List<Path> names(Path dir) throws Exception {
    try (var all = Files.list(dir)) {
      return all.toList();
    }
  }

  @Test
  void fileKeepsBytesOwnerModeTimesAndAttributes() throws Exception {
    Path source = here.resolve("f");
    byte[] bytes = new byte[3_000_000];
    new Random(1).nextBytes(bytes);
    Files.write(source, bytes);
    boolean root = Tasks.geteuid() == 0;
    if (root) {
      Posix.chown(source.toString(), 61_001, 61_002);
    }
    Posix.chmod(source.toString(), 04451);
    Xattrs.set(source.toString(), true, "user.e2b.key", new byte[] {1, 2});
    boolean attributes = Xattrs.set(there.toString(), true, "user.probe", new byte[0]) == 0;
    FileStatus before = status(source);
    Entry moved = entries.move(source.toString(), there + "/new/f", self);
    FileStatus after = status(there.resolve("new/f"));
    assertThat(source).doesNotExist();
    assertThat(Files.readAllBytes(there.resolve("new/f"))).isEqualTo(bytes);
    assertThat(after.uid()).isEqualTo(before.uid());
    assertThat(after.gid()).isEqualTo(before.gid());
    assertThat(after.permissions()).isEqualTo(04451);
    assertThat(after.modifiedNanos()).isEqualTo(before.modifiedNanos());
    if (attributes) {
      assertThat(Xattrs.get(there + "/new/f", true, "user.e2b.key")).isEqualTo(new byte[] {1, 2});
    }
    assertThat(moved.size()).isEqualTo(bytes.length);
    assertThat(names(there.resolve("new"))).hasSize(1);
  }

  @Test
  void treeKeepsLinksNamesHolesAndSpecialFiles() throws Exception {
    Path tree = Files.createDirectories(here.resolve("t/sub"));
    Files.writeString(tree.resolve("one"), "x");
    Files.createLink(tree.resolve("two"), tree.resolve("one"));
    Files.createSymbolicLink(tree.resolve("link"), Path.of("../nowhere"));
    Posix.mkfifo(tree + "/fifo", 0640);
    Posix.close(Posix.open(tree + "/odd\uEFFF", Fcntl.O_CREAT | Fcntl.O_WRONLY, 0600));
    try (FileChannel sparse =
        FileChannel.open(
            tree.resolve("sparse"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      sparse.write(java.nio.ByteBuffer.wrap(new byte[] {7}), 50_000_000);
    }
    FileStatus dirBefore = status(tree);
    FileStatus linkBefore = status(tree.resolve("link"));
    entries.move(here + "/t", there + "/t", self);
    Path moved = there.resolve("t/sub");
    assertThat(here.resolve("t")).doesNotExist();
    assertThat(status(moved.resolve("one")).isSameFile(status(moved.resolve("two")))).isTrue();
    assertThat(Files.readSymbolicLink(moved.resolve("link"))).isEqualTo(Path.of("../nowhere"));
    assertThat(status(moved.resolve("link")).modifiedNanos()).isEqualTo(linkBefore.modifiedNanos());
    assertThat(status(moved.resolve("fifo")).isFifo()).isTrue();
    assertThat(status(moved.resolve("fifo")).permissions()).isEqualTo(0640);
    assertThat(Posix.linkStatus(moved + "/odd\uEFFF")).isNotNull();
    assertThat(status(moved).modifiedNanos()).isEqualTo(dirBefore.modifiedNanos());
    assertThat(status(moved.resolve("sparse")).size()).isEqualTo(50_000_001);
    Process du = new ProcessBuilder("du", "-k", moved + "/sparse").start();
    assertThat(
            new String(du.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .split("\t", 2)[0])
        .satisfies(kib -> assertThat(Integer.parseInt(kib)).isLessThan(1000));
    entries.move(there + "/t", here + "/back", self);
    assertThat(names(here.resolve("back/sub"))).hasSize(6);
    assertThat(names(there)).isEmpty();
  }

  @Test
  void replacesAFileAndRefusesADirectory() throws Exception {
    String source = Files.writeString(here.resolve("f"), "new").toString();
    Files.writeString(there.resolve("f"), "old");
    entries.move(source, there + "/f", self);
    assertThat(Files.readString(there.resolve("f"))).isEqualTo("new");
    Files.createDirectory(here.resolve("d"));
    assertThatThrownBy(() -> entries.move(there + "/f", here + "/d", self))
        .hasMessageContaining("file exists");
  }

  @Test
  void aSourceThatChangedSinceItWasLookedAtIsNotTakenForCopied() throws Exception {
    Path tree = Files.createDirectory(here.resolve("t"));
    Files.writeString(tree.resolve("f"), "x");
    FileStatus before = status(tree.resolve("f"));
    Files.writeString(tree.resolve("f"), "more");
    int flags = Fcntl.O_RDONLY | Fcntl.O_DIRECTORY;
    int from = Posix.open(tree.toString(), flags, 0);
    int to = Posix.open(there.toString(), flags, 0);
    assertThatThrownBy(() -> TreeCopy.copy(from, "f", before, to, "copy", "the file"))
        .hasMessage("the file changed while it was copied");
    Posix.close(from);
    Posix.close(to);
  }

  @Test
  void aFullFileSystemLeavesTheSourceAndNoDebris() throws Exception {
    assumeThat(Tasks.geteuid()).as("mounting needs root").isZero();
    Path small = Files.createDirectory(there.resolve("small"));
    int mounted =
        new ProcessBuilder("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small.toString())
            .start()
            .waitFor();
    assumeThat(mounted).isZero();
    try {
      Path tree = Files.createDirectory(here.resolve("t"));
      Files.write(tree.resolve("a"), new byte[700_000]);
      Files.write(tree.resolve("b"), new byte[700_000]);
      assertThatThrownBy(() -> entries.move(tree.toString(), small + "/x/y", self))
          .hasMessageContaining("no space left on device");
      assertThat(names(tree)).hasSize(2);
      assertThat(names(small)).isEmpty();
      // A mount point in the source cannot be moved away.
      assertThatThrownBy(() -> entries.move(there.toString(), here + "/moved", self))
          .hasMessageContaining("is a mount point");
      assertThat(here.resolve("moved")).doesNotExist();
      // Into itself, by way of what is mounted in it.
      assertThatThrownBy(() -> entries.move(there.toString(), small + "/into", self))
          .hasMessageContaining("invalid argument");
      assertThat(names(small)).isEmpty();
    } finally {
      new ProcessBuilder("umount", small.toString()).start().waitFor();
    }
  }
}

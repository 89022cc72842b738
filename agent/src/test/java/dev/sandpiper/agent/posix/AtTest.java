package dev.sandpiper.agent.posix;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class AtTest {
  @TempDir Path path;
  private int dir;

  @BeforeEach
  void open() {
    dir = Posix.open(path.toString(), Fcntl.O_RDONLY | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC, 0);
    assertThat(dir).isPositive();
  }

  @AfterEach
  void close() {
    Posix.close(dir);
  }

  private void touch(String name) {
    int flags = Fcntl.O_WRONLY | Fcntl.O_CREAT | Fcntl.O_EXCL | Fcntl.O_CLOEXEC;
    int fd = At.open(dir, name, flags, 0644);
    assertThat(fd).isPositive();
    Posix.close(fd);
  }

  @Test
  void namesAreTakenInTheOpenDirectory() throws Exception {
    touch("f");
    assertThat(At.mkdir(dir, "d", 0755)).isZero();
    assertThat(At.mkdir(dir, "d", 0755)).isEqualTo(-Errno.EEXIST);
    assertThat(At.symlink("f", dir, "l")).isZero();
    assertThat(At.readlink(dir, "l")).isEqualTo("f");
    assertThat(At.readlink(dir, "f")).isNull();
    assertThat(At.status(dir, "l", Fcntl.AT_SYMLINK_NOFOLLOW).isSymbolicLink()).isTrue();
    assertThat(At.status(dir, "l", 0).isRegular()).isTrue();
    FileStatus missing = At.status(dir, "none", 0);
    assertThat(missing.exists()).isFalse();
    assertThat(missing.error()).isEqualTo(-Errno.ENOENT);
    assertThat(At.open(dir, "l", Fcntl.O_RDONLY | Fcntl.O_NOFOLLOW, 0)).isEqualTo(-Errno.ELOOP);
    assertThat(At.link(dir, "f", dir, "second")).isZero();
    assertThat(At.status(dir, "f", 0).isSameFile(At.status(dir, "second", 0))).isTrue();
    assertThat(At.status(dir, "f", 0).links()).isEqualTo(2);
    assertThat(At.chmod(dir, "f", 0600)).isZero();
    assertThat(At.status(dir, "f", 0).permissions()).isEqualTo(0600);
    assertThat(At.chown(dir, "l", -1, -1, Fcntl.AT_SYMLINK_NOFOLLOW)).isZero();
    assertThat(At.unlink(dir, "d", 0)).isEqualTo(-Errno.EISDIR);
    assertThat(At.unlink(dir, "d", Fcntl.AT_REMOVEDIR)).isZero();
    assertThat(At.unlink(dir, "l", 0)).isZero();
    assertThat(Files.exists(path.resolve("f"))).isTrue();
  }

  @Test
  void renamesWithoutReplacing() {
    touch("a");
    touch("b");
    assertThat(At.rename(dir, "a", dir, "b", Fcntl.RENAME_NOREPLACE)).isEqualTo(-Errno.EEXIST);
    assertThat(At.rename(dir, "a", dir, "c", Fcntl.RENAME_NOREPLACE)).isZero();
    assertThat(At.rename(dir, "c", dir, "b", 0)).isZero();
    assertThat(At.status(dir, "a", 0).error()).isEqualTo(-Errno.ENOENT);
  }

  @Test
  void fileWithoutANameGetsOne() {
    int fd = Posix.open(path.toString(), Fcntl.O_TMPFILE | Fcntl.O_RDWR | Fcntl.O_CLOEXEC, 0600);
    assertThat(fd).isPositive();
    assertThat(At.link(fd, dir, "named")).isZero();
    assertThat(At.link(fd, dir, "named")).isEqualTo(-Errno.EEXIST);
    assertThat(At.status(dir, "named", 0).isSameFile(requireNonNull(Posix.status(fd)))).isTrue();
    Posix.close(fd);
  }

  @Test
  void timesAreSetToTheNanosecondAndBeyond2262() {
    touch("f");
    FileStatus now = At.status(dir, "f", 0);
    FileStatus wanted =
        new FileStatus(
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10_000_000_000L, 123_456_789, -5, 987_654_321, 0);
    assertThat(At.setTimes(dir, "f", wanted, 0)).isZero();
    FileStatus then = At.status(dir, "f", 0);
    assertThat(then.modifiedSecond()).isEqualTo(10_000_000_000L);
    assertThat(then.modifiedNano()).isEqualTo(123_456_789);
    assertThat(then.accessedSecond()).isEqualTo(-5);
    assertThat(then.accessedNano()).isEqualTo(987_654_321);
    int fd = At.open(dir, "f", Fcntl.O_RDONLY, 0);
    assertThat(At.setTimes(fd, now)).isZero();
    Posix.close(fd);
    assertThat(At.status(dir, "f", 0).modifiedNanos()).isEqualTo(now.modifiedNanos());
  }

  @Test
  void makesSpecialFiles() throws Exception {
    assertThat(At.mknod(dir, "fifo", 0x1000 | 0640, 0)).isZero();
    assertThat(At.status(dir, "fifo", 0).isFifo()).isTrue();
    FileStatus zero = requireNonNull(Posix.status("/dev/zero"));
    assertThat(zero.isCharacterDevice()).isTrue();
    assertThat(zero.special()).isEqualTo((1 << 8) | 5);
    int made = At.mknod(dir, "zero", 0x2000 | 0600, zero.special());
    if (made == 0) { // takes a capability
      assertThat(At.status(dir, "zero", 0).special()).isEqualTo(zero.special());
      assertThat(Files.getAttribute(path.resolve("zero"), "unix:rdev", LinkOption.NOFOLLOW_LINKS))
          .isEqualTo(Files.getAttribute(Path.of("/dev/zero"), "unix:rdev"));
    } else {
      assertThat(made).isEqualTo(-Errno.EPERM);
    }
  }

  @Test
  void listsNamesOfEveryKind() {
    touch("file");
    touch("\uEFFF\uEFFE");
    touch("é");
    At.mkdir(dir, "dir", 0700);
    At.symlink("nowhere", dir, "link");
    for (int i = 0; i < 3000; i++) { // more than one call's worth
      touch("f" + "x".repeat(60) + i);
    }
    TreeMap<String, Integer> names = new TreeMap<>();
    try (DirectoryReader reader = new DirectoryReader(dir)) {
      while (reader.next()) {
        names.put(reader.name(), reader.type());
      }
      assertThat(reader.error()).isZero();
    }
    assertThat(names).hasSize(3005).doesNotContainKeys(".", "..");
    assertThat(names).containsEntry("file", DirectoryReader.REGULAR);
    assertThat(names).containsEntry("dir", DirectoryReader.DIRECTORY);
    assertThat(names).containsEntry("link", DirectoryReader.SYMBOLIC_LINK);
    assertThat(names).containsKeys("\uEFFF\uEFFE", "é");
  }

  @Test
  void readingWhatIsNoDirectoryIsAnError() {
    touch("file");
    int fd = At.open(dir, "file", Fcntl.O_RDONLY, 0);
    try (DirectoryReader reader = new DirectoryReader(fd)) {
      assertThat(reader.next()).isFalse();
      assertThat(reader.error()).isEqualTo(-Errno.ENOTDIR);
    }
    Posix.close(fd);
  }

  @Test
  void fileSystemSaysItsSpace() throws Exception {
    FileSystemStatus status = requireNonNull(Posix.fileSystem(path.toString()));
    assertThat(status.totalBytes()).isEqualTo(Files.getFileStore(path).getTotalSpace());
    assertThat(status.availableBytes()).isPositive().isLessThanOrEqualTo(status.totalBytes());
    assertThat(requireNonNull(Posix.fileSystem(dir)).type())
        .isEqualTo(Posix.fileSystemType(path.toString()));
    assertThat(Posix.fileSystem(path + "/none")).isNull();
  }

  @Test
  void copiesRangesBetweenFiles() throws Exception {
    Files.writeString(path.resolve("from"), "0123456789");
    int in = At.open(dir, "from", Fcntl.O_RDONLY, 0);
    int out = At.open(dir, "to", Fcntl.O_WRONLY | Fcntl.O_CREAT, 0600);
    assertThat(Posix.fadvise(in, 0, 0, Fcntl.POSIX_FADV_WILLNEED)).isZero();
    assertThat(Posix.fallocate(out, 0, 100)).isZero();
    assertThat(Posix.ftruncate(out, 0)).isZero();
    assertThat(Posix.copyFileRange(in, out, 4)).isEqualTo(4);
    assertThat(Posix.copyFileRange(in, out, 100)).isEqualTo(6);
    assertThat(Posix.copyFileRange(in, out, 100)).isZero();
    assertThat(Posix.syncfs(out)).isZero();
    Posix.close(in);
    Posix.close(out);
    assertThat(Files.readString(path.resolve("to"))).isEqualTo("0123456789");
  }
}

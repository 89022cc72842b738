package dev.sandpiper.agent.posix;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class XattrsTest {
  @TempDir Path dir;
  private String file = "";
  private String link = "";

  @BeforeEach
  void make() throws Exception {
    file = Files.createFile(dir.resolve("f")).toString();
    link = Files.createSymbolicLink(dir.resolve("l"), Path.of("f")).toString();
    assumeThat(Xattrs.set(file, true, "user.test", new byte[] {0})).isZero();
    assertThat(Xattrs.remove(file, true, "user.test")).isZero();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  @Test
  void setsGetsListsAndRemovesThroughALink() {
    assertThat(Xattrs.set(link, true, "user.e2b.a", bytes("1"))).isZero();
    assertThat(Xattrs.set(link, true, "user.e2b.a", bytes("one"))).isZero();
    assertThat(Xattrs.set(link, true, "user.größe", bytes(""))).isZero();
    assertThat(Xattrs.get(file, false, "user.e2b.a")).isEqualTo(bytes("one"));
    assertThat(Xattrs.get(file, false, "user.größe")).isEmpty();
    assertThat(Xattrs.get(file, false, "user.none")).isNull();
    List<String> names = new ArrayList<>();
    assertThat(Xattrs.list(file, false, names)).isZero();
    assertThat(names).contains("user.e2b.a", "user.größe");
    assertThat(Xattrs.remove(link, true, "user.größe")).isZero();
    assertThat(Xattrs.remove(link, true, "user.größe")).isEqualTo(-Errno.ENODATA);
  }

  @Test
  void linksThemselvesHoldNoUserAttributes() {
    assertThat(Xattrs.set(link, false, "user.a", bytes("1"))).isEqualTo(-Errno.EPERM);
    assertThat(Xattrs.set(file, true, "user.a", bytes("1"))).isZero();
    List<String> names = new ArrayList<>();
    assertThat(Xattrs.list(link, false, names)).isZero();
    assertThat(names).doesNotContain("user.a");
    assertThat(Xattrs.list(dir + "/none", true, names)).isEqualTo(-Errno.ENOENT);
  }

  @Test
  void worksOnOpenFilesAndWithLargeValues() {
    int fd = Posix.open(file, Fcntl.O_RDONLY, 0);
    assertThat(Xattrs.set(fd, "user.small", bytes("v"))).isZero();
    assertThat(Xattrs.get(fd, "user.small")).isEqualTo(bytes("v"));
    List<String> names = new ArrayList<>();
    assertThat(Xattrs.list(fd, names)).isZero();
    assertThat(names).contains("user.small");
    assertThat(Xattrs.remove(fd, "user.small")).isZero();
    byte[] large = new byte[30_000];
    large[29_999] = 7;
    int set = Xattrs.set(fd, "user.large", large);
    if (set == 0) { // file systems differ in what they hold
      assertThat(Xattrs.get(fd, "user.large")).isEqualTo(large);
    } else {
      assertThat(set).isIn(-Errno.ENOSPC, -Errno.E2BIG, -Errno.ERANGE);
    }
    assertThat(Xattrs.set(fd, "user.more", new byte[70_000])).isEqualTo(-Errno.E2BIG);
    Posix.close(fd);
  }

  @Test
  void listsMoreNamesThanFitTheSmallBuffer() throws Exception {
    String other = Files.createTempFile(Path.of("/dev/shm"), "sandpiper", "").toString();
    try {
      int made = 0;
      while (made < 40
          && Xattrs.set(other, true, "user." + "n".repeat(200) + made, new byte[0]) == 0) {
        made++;
      }
      List<String> names = new ArrayList<>();
      assertThat(Xattrs.list(other, true, names)).isIn(0, -Errno.EOPNOTSUPP);
      assertThat(names).hasSizeGreaterThanOrEqualTo(made);
    } finally {
      Posix.unlink(other);
    }
  }
}

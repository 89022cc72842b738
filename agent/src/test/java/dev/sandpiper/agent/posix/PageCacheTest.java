package dev.sandpiper.agent.posix;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PageCacheTest {
  private static final int POSIX_FADV_DONTNEED = 4;
  private static final int PART = 1 << 20;

  @TempDir private Path directory;

  @Test
  void tellsWhetherAllOfAPartIsInMemory() throws Exception {
    Path file = directory.resolve("file");
    Files.write(file, new byte[2 * PART + 100]);
    int fd = Posix.open(file.toString(), Fcntl.O_RDWR | Fcntl.O_CLOEXEC, 0);
    try {
      assumeTrue(
          PageCache.holds(fd, 0, PART),
          "cachestat(2) does not tell here: a kernel before 6.5, a file system without a page cache, or a sandbox");
      assertThat(PageCache.holds(fd, PART - 1, PART + 101)).isTrue();
      assertThat(PageCache.holds(fd, PART, 4L * PART)).as("beyond the end").isFalse();

      assertThat(Posix.fsync(fd)).isZero();
      assertThat(Posix.fadvise(fd, PART, PART, POSIX_FADV_DONTNEED)).isZero();
      assumeTrue(!PageCache.holds(fd, PART, PART), "a file system that keeps its pages");
      assertThat(PageCache.holds(fd, PART - 1, 2)).isFalse();
      assertThat(PageCache.holds(fd, 0, PART)).isTrue();

      PageCache.load(fd, PART, PART);
      assertThat(PageCache.holds(fd, 0, 2L * PART)).isTrue();
    } finally {
      Posix.close(fd);
    }
  }

  @Test
  void knowsNothingOfWhatIsNoFile() {
    assertThat(PageCache.holds(-1, 0, 1)).isFalse();
  }
}

package dev.sandpiper.agent.filesystem;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class CachedFilesTest {
  private final CachedFiles files = new CachedFiles();
  private final Users users = new Users();
  private final FileWork work = new FileWork(users, false);
  private final Entries entries = new Entries(users, work);

  @BeforeEach
  void needsAKernelThatCan() {
    assumeTrue(
        files.isUsable(), "the kernel has no openat2 with RESOLVE_CACHED, or / is not a local one");
  }

  @Test
  void aLookAtACachedFileTellsWhatAFullOneTells() throws Exception {
    for (String path : new String[] {"/etc/passwd", "/etc", "/"}) {
      entries.stat(path); // now it is in the cache
      assertThat(entries.statCached(path, users.self())).isEqualTo(entries.stat(path));
    }
  }

  @Test
  void aCachedFileIsReadWithoutAThread() throws Exception {
    String path = make("some content");
    try (FileSource file = FileSource.openCached(work, users.self(), path)) {
      ByteBuffer content = ByteBuffer.allocateDirect(12);
      assertThat(requireNonNull(file).size()).isEqualTo(12);
      assertThat(file.readCached(content)).isTrue();
      assertThat(StandardCharsets.UTF_8.decode(content.flip()).toString())
          .isEqualTo("some content");
      assertThat(file.readCached(ByteBuffer.allocateDirect(13)))
          .as("it has become shorter")
          .isFalse();
    } finally {
      Files.delete(Path.of(path));
    }
    assertThat(work.threads()).isZero();
  }

  @Test
  void whatIsNotInMemoryIsNotReadHere() throws Exception {
    String path = make("x".repeat(100_000));
    int fd = Posix.open(path, Fcntl.O_RDWR | Fcntl.O_CLOEXEC, 0);
    Posix.fdatasync(fd); // only what is on the disk can be dropped from memory
    Posix.fadvise(fd, 0, 0, Fcntl.POSIX_FADV_DONTNEED);
    Posix.close(fd);
    try (FileSource file = FileSource.openCached(work, users.self(), path)) {
      ByteBuffer content = ByteBuffer.allocateDirect(100_000);
      assertThat(requireNonNull(file).readCached(content)).isFalse();
      assertThat(file.read(content.clear(), 0)).isEqualTo(100_000);
      assertThat(file.readCached(content.clear())).isTrue();
    } finally {
      Files.delete(Path.of(path));
    }
  }

  @Test
  void aUserWithOtherRightsThanTheAgentGetsNothingWithoutATask() {
    try (FileWork enforcing = new FileWork(users, true)) {
      User other = new User("u61001", 61_001, 61_001, List.of(61_001), "/", "/bin/sh");
      assertThat(FileSource.openCached(enforcing, other, "/etc/passwd")).isNull();
      assertThat(new Entries(users, enforcing).statCached("/etc/passwd", other)).isNull();
    }
  }

  @Test
  void directoriesAndWhatIsElsewhereAreNotOpenedHere() {
    assertThat(FileSource.openCached(work, users.self(), "/etc")).isNull();
    assertThat(FileSource.openCached(work, users.self(), "/proc/version")).isNull();
    assertThat(FileSource.openCached(work, users.self(), "/etc/no-such-file")).isNull();
  }

  private static String make(String content) throws Exception {
    Path path = Path.of("/var/tmp/sandpiper-cached-" + System.nanoTime());
    return Files.writeString(path, content).toString();
  }

  @Test
  void whatIsElsewhereMissingOrALinkIsNotAnsweredHere() throws Exception {
    Path link =
        Files.createSymbolicLink(
            Path.of("/var/tmp/sandpiper-link-" + System.nanoTime()), Path.of("/etc"));
    try {
      assertThat(entries.statCached("/proc/version", users.self())).isNull();
      assertThat(entries.statCached("/etc/no-such-file", users.self())).isNull();
      assertThat(entries.statCached(link.toString(), users.self())).isNull();
      assertThat(entries.statCached("/proc/self/cwd", users.self())).isNull();
    } finally {
      Files.delete(link);
    }
  }
}

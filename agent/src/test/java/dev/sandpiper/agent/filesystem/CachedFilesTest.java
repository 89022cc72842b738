package dev.sandpiper.agent.filesystem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.agent.accounts.Users;
import java.nio.file.Files;
import java.nio.file.Path;
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

package dev.sandpiper.agent.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StateDirectoryTest {
  @TempDir Path parent;

  private static String mode(Path path) throws Exception {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  private static List<String> names(Path path) throws Exception {
    try (Stream<Path> files = Files.list(path)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void newDirectoryIsPrivateAndComplete() throws Exception {
    Path path = parent.resolve("a/b/state");
    try (StateDirectory state = StateDirectory.open(path)) {
      assertThat(state.path()).isEqualTo(path);
      assertThat(state.temporary()).isFalse();
      assertThat(state.notes()).isEmpty();
      assertThat(mode(path)).isEqualTo("rwx------");
      assertThat(mode(state.output())).isEqualTo("rwx------");
      state.openJournal(false).close();
    }
    assertThat(names(path)).containsExactly("journal", "lock", "output", "version");
    try (StateDirectory again = StateDirectory.open(path)) {
      assertThat(again.notes()).isEmpty();
    }
  }

  @Test
  void directoryOpenToOthersIsClosedToThem() throws Exception {
    Path path = Files.createDirectory(parent.resolve("state"));
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
    try (StateDirectory state = StateDirectory.open(path)) {
      assertThat(mode(path)).isEqualTo("rwx------");
      assertThat(state.notes()).singleElement().asString().contains("0700");
    }
  }

  @Test
  void secondAgentIsRefusedWithThePidOfTheFirst() throws Exception {
    Path path = parent.resolve("state");
    try (StateDirectory _ = StateDirectory.open(path)) {
      assertThatThrownBy(() -> StateDirectory.open(path))
          .isInstanceOf(StateDirectoryInUse.class)
          .hasMessageContaining("--state-dir")
          .hasMessageContaining(path.toString())
          .hasMessageContaining("pid " + ProcessHandle.current().pid());
    }
    StateDirectory.open(path).close();
  }

  @Test
  void whereItCannotBeWrittenATemporaryOneTakesItsPlace() throws Exception {
    Path file = Files.writeString(parent.resolve("file"), "x");
    Path temporary;
    try (StateDirectory state = StateDirectory.open(file.resolve("state"))) {
      temporary = state.path();
      assertThat(state.temporary()).isTrue();
      assertThat(mode(temporary)).isEqualTo("rwx------");
      assertThat(state.notes())
          .singleElement()
          .asString()
          .contains("--state-dir", file.toString(), temporary.toString());
      Files.writeString(state.output().resolve("x"), "x");
    }
    assertThat(temporary).doesNotExist();
  }

  @Test
  void newerDamagedAndUnversionedStateIsSetAsideAndStrangersFilesStay() throws Exception {
    for (String version : new String[] {"sandpiper state 2\n", "\0\0garbage", null}) {
      Path path = parent.resolve("state" + (version == null ? 0 : version.length()));
      StateDirectory.open(path).close();
      Files.writeString(path.resolve("output").resolve("p.stdout.0"), "bytes");
      Files.writeString(path.resolve("mine.txt"), "not sandpiper's");
      if (version == null) {
        Files.delete(path.resolve("version"));
      } else {
        Files.writeString(path.resolve("version"), version);
      }
      try (StateDirectory state = StateDirectory.open(path)) {
        assertThat(state.temporary()).isFalse();
        assertThat(state.notes()).singleElement().asString().contains("set-aside");
        assertThat(names(state.output())).isEmpty();
        assertThat(path.resolve("mine.txt")).exists();
        try (Stream<Path> all = Files.walk(path)) {
          assertThat(all.map(file -> file.getFileName().toString())).contains("p.stdout.0");
        }
      }
      try (StateDirectory state = StateDirectory.open(path)) {
        assertThat(state.notes()).isEmpty();
      }
    }
  }

  @Test
  void defaultPlaceFollowsTheUser() {
    assertThat(StateDirectory.defaultPath(0, Map.of("XDG_STATE_HOME", "/x"), "/root"))
        .isEqualTo(Path.of("/var/lib/sandpiper"));
    assertThat(StateDirectory.defaultPath(1000, Map.of("XDG_STATE_HOME", "/x"), "/home/u"))
        .isEqualTo(Path.of("/x/sandpiper"));
    assertThat(StateDirectory.defaultPath(1000, Map.of("XDG_STATE_HOME", "rel"), "/home/u"))
        .isEqualTo(Path.of("/home/u/.local/state/sandpiper"));
    assertThat(StateDirectory.defaultPath(1000, Map.of(), "/home/u"))
        .isEqualTo(Path.of("/home/u/.local/state/sandpiper"));
  }
}

package dev.sandpiper.agent.filesystem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UploadsTest {
  private final User self = new Users().self();
  @TempDir Path directory;
  @TempDir Path state;
  private UploadNotes notes;
  private Uploads uploads;

  @BeforeEach
  void make() throws IOException {
    notes = new UploadNotes(state);
    notes.open(false);
    uploads = new Uploads(false, notes);
  }

  private String path(String name) {
    return directory.resolve(name).toString();
  }

  private static ByteBuffer bytes(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
  }

  private void upload(String name, String content) throws FileFailure {
    Upload upload = uploads.begin(self, path(name), Map.of());
    upload.write(bytes(content));
    assertThat(upload.finish()).isEmpty();
    upload.abandon();
  }

  private List<String> names() throws IOException {
    return names(directory);
  }

  private static List<String> names(Path directory) throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      return all.map(each -> each.getFileName().toString()).sorted().toList();
    }
  }

  private long notesLeft() throws IOException {
    new UploadNotes(state).removeLeftovers();
    return names().stream().filter(UploadNames::isTemporary).count();
  }

  @Test
  void aNewFileIsThereWholeAtTheEndAndNotBefore() throws Exception {
    Upload upload = uploads.begin(self, path("a/b/c.txt"), Map.of());
    upload.write(bytes("hello, "));
    upload.write(ByteBuffer.wrap("world".getBytes(StandardCharsets.UTF_8)));
    assertThat(names(directory.resolve("a/b"))).isEmpty();
    upload.finish();
    assertThat(directory.resolve("a/b/c.txt")).hasContent("hello, world");
    assertThat(
            PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("a/b"))))
        .isEqualTo("rwxr-xr-x");
  }

  @Test
  void anAbandonedUploadLeavesNothingNotEvenItsDirectories() throws Exception {
    Upload upload = uploads.begin(self, path("new/dir/f"), Map.of());
    upload.write(bytes("lost"));
    upload.abandon();
    upload.abandon();
    assertThat(names()).isEmpty();
    upload("kept", "old");
    Upload second = uploads.begin(self, path("kept"), Map.of());
    second.write(bytes("lost"));
    second.abandon();
    assertThat(directory.resolve("kept")).hasContent("old");
    assertThat(names()).containsExactly("kept");
  }

  @Test
  void aReplacedFileKeepsItsModeAndAttributes() throws Exception {
    upload("f", "old");
    Path file = directory.resolve("f");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx-w---x"));
    Files.setAttribute(file, "user:mine", bytes("kept"));
    Files.setAttribute(file, "user:e2b.k", bytes("gone"));
    Object before = Files.getAttribute(file, "unix:ino");
    upload("f", "new content");
    assertThat(file).hasContent("new content");
    assertThat(Files.getAttribute(file, "unix:ino")).isNotEqualTo(before);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rwx-w---x");
    assertThat((byte[]) Files.getAttribute(file, "user:mine")).asString().isEqualTo("kept");
    assertThatThrownBy(() -> Files.getAttribute(file, "user:e2b.k"))
        .isInstanceOf(IOException.class);
    assertThat(names()).containsExactly("f");
  }

  @Test
  void metadataReplacesMetadata() throws Exception {
    Upload first = uploads.begin(self, path("f"), Map.of("a", "1", "b", "2"));
    assertThat(first.finish()).isEqualTo(Map.of("a", "1", "b", "2"));
    Upload second = uploads.begin(self, path("f"), Map.of("c", "3"));
    assertThat(second.finish()).isEqualTo(Map.of("c", "3"));
  }

  @Test
  void linksAreFollowedAlsoWhereTheyLeadToNothing() throws Exception {
    Files.createDirectory(directory.resolve("d"));
    Files.createSymbolicLink(directory.resolve("link"), Path.of("d/target"));
    Files.createSymbolicLink(directory.resolve("link2"), directory.resolve("link"));
    upload("link2", "one");
    assertThat(directory.resolve("d/target")).hasContent("one");
    upload("link2", "two");
    assertThat(directory.resolve("d/target")).hasContent("two");
    assertThat(Files.isSymbolicLink(directory.resolve("link"))).isTrue();
    assertThat(Files.isSymbolicLink(directory.resolve("link2"))).isTrue();
    Files.createSymbolicLink(directory.resolve("loop"), Path.of("loop"));
    assertThatThrownBy(() -> upload("loop", "x")).hasMessageContaining("too many levels");
  }

  @Test
  void aFileWithSeveralNamesStaysOneFile() throws Exception {
    upload("one", "a longer old content");
    Files.createLink(directory.resolve("two"), directory.resolve("one"));
    upload("one", "new");
    assertThat(directory.resolve("two")).hasContent("new");
    upload("two", "newer and longer than it ever was");
    assertThat(directory.resolve("one")).hasContent("newer and longer than it ever was");
    assertThat(names()).containsExactly("one", "two");
  }

  @Test
  void aPathThatCanOnlyBeADirectoryIsRefusedBeforeAnythingIsMade() throws Exception {
    Files.createDirectory(directory.resolve("d"));
    for (String name : new String[] {"new/", "d", "d/.", "d/..", "x/y/"}) {
      assertThatThrownBy(() -> uploads.begin(self, directory + "/" + name, Map.of()))
          .as(name)
          .isInstanceOfSatisfying(
              FileFailure.class,
              failure -> assertThat(failure.kind()).isEqualTo(FileFailure.Kind.IS_A_DIRECTORY))
          .hasMessage("path is a directory: " + directory + "/" + name);
    }
    assertThat(names()).containsExactly("d");
  }

  @Test
  void aFileInTheWayOfADirectoryIsNamed() throws Exception {
    upload("f", "x");
    assertThatThrownBy(() -> upload("f/g", "y"))
        .hasMessageStartingWith("error ensuring directories: ");
    assertThatThrownBy(() -> upload("f/g/h", "y"))
        .hasMessageStartingWith("error ensuring directories: ");
  }

  @Test
  void devicesAreWrittenToAndAFifoNobodyReadsIsRefused() throws Exception {
    Upload nothing = uploads.begin(self, "/dev/null", Map.of());
    nothing.write(bytes("gone"));
    nothing.finish();
    Upload full = uploads.begin(self, "/dev/full", Map.of());
    assertThatThrownBy(() -> full.write(bytes("x"))).hasMessage("not enough disk space available");
    full.abandon();
    assertThat(Posix.mkfifo(path("fifo"), 0600)).isZero();
    assertThatThrownBy(() -> uploads.begin(self, path("fifo"), Map.of()))
        .hasMessageContaining("nobody reads from");
    int reader = Posix.open(path("fifo"), Fcntl.O_RDONLY | Fcntl.O_NONBLOCK, 0);
    Upload fifo = uploads.begin(self, path("fifo"), Map.of());
    fifo.write(bytes("through"));
    fifo.finish();
    ByteBuffer read = ByteBuffer.allocateDirect(16);
    assertThat(Posix.read(reader, read)).isEqualTo(7);
    Posix.close(reader);
  }

  @Test
  void whoeverComesFirstIsReplacedByWhoeverComesLater() throws Exception {
    Upload one = uploads.begin(self, path("f"), Map.of());
    Upload two = uploads.begin(self, path("f"), Map.of());
    one.write(bytes("one"));
    two.write(bytes("two"));
    two.finish();
    assertThat(directory.resolve("f")).hasContent("two");
    one.finish();
    assertThat(directory.resolve("f")).hasContent("one");
    assertThat(names()).containsExactly("f");
  }

  @Test
  void notesLeadTheNextAgentToWhatIsLeftAndToNothingElse() throws Exception {
    String ours = path(UploadNames.next(true));
    String replaced = path(UploadNames.next(true));
    String gone = path(UploadNames.next(false));
    Files.writeString(Path.of(ours), "left");
    notes.take(ours, Posix.status(ours));
    Files.writeString(Path.of(replaced), "other");
    notes.take(replaced, Posix.status(ours)); // another file has this name by now
    notes.take(gone, null);
    UploadNotes.Note done = notes.take(path("done"), null);
    done.crossOut();
    notes.take(path("precious"), null);
    Files.writeString(directory.resolve("precious"), "not a name of ours");
    new UploadNotes(state).removeLeftovers();
    assertThat(names())
        .containsExactlyInAnyOrder("precious", Path.of(replaced).getFileName().toString());
    assertThat(names(state)).isEmpty();
  }

  @Test
  void everyNoteIsCrossedOutInTheEnd() throws Exception {
    for (int i = 0; i < 10; i++) {
      upload("f", "content " + i);
    }
    assertThat(notesLeft()).isZero();
    assertThat(directory.resolve("f")).hasContent("content 9");
  }

  @Test
  void composesAndRemovesItsSources() throws Exception {
    upload("a", "one ");
    upload("b", "two");
    Composition.compose(uploads, self, List.of(source("a"), source("b"), source("a")), path("n/c"));
    assertThat(directory.resolve("n/c")).hasContent("one twoone ");
    assertThat(names()).containsExactly("n");
  }

  @Test
  void composingKnowsFilesByMoreThanTheirSpelling() throws Exception {
    upload("a", "one");
    Files.createDirectory(directory.resolve("d"));
    Files.createSymbolicLink(directory.resolve("link"), Path.of("a"));
    Files.createLink(directory.resolve("hard"), directory.resolve("a"));
    for (String other : new String[] {"d/../a", "link", "hard", "a"}) {
      assertThatThrownBy(
              () -> Composition.compose(uploads, self, List.of(source("a")), path(other)))
          .as(other)
          .hasMessage("source path \"a\" cannot be the same as destination");
    }
    assertThatThrownBy(
            () -> Composition.compose(uploads, self, List.of(source("a"), source("x")), path("c")))
        .hasMessage("source file not found: x");
    assertThatThrownBy(() -> Composition.compose(uploads, self, List.of(source("d")), path("c")))
        .hasMessage("source path is not a regular file: d");
    assertThat(directory.resolve("a")).hasContent("one");
  }

  private Composition.Source source(String name) {
    return new Composition.Source(name, directory + "/" + name);
  }
}

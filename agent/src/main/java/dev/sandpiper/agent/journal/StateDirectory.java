package dev.sandpiper.agent.journal;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The directory that the agent's state lives in: `journal`, `output/`, `records`, `records-batch`,
/// `agent-log/`, `version` and `lock`. Mode 0700, one agent at a time.
///
/// Only these names are ever touched: whatever else lies there is not ours.
public final class StateDirectory implements AutoCloseable {
  private static final String VERSION_TEXT = "sandpiper state ";
  private static final int VERSION = 1;
  private static final int PRIVATE = 0700;
  private static final List<String> CONTENT =
      List.of("version", "journal", "output", "records", "records-batch", "agent-log", "keeper");

  private final Path path;
  private final boolean temporary;
  private final List<String> notes;
  private int lockFd;

  private StateDirectory(Path path, boolean temporary, List<String> notes, int lockFd) {
    this.path = path;
    this.temporary = temporary;
    this.notes = notes;
    this.lockFd = lockFd;
  }

  /// Opens and locks `path`, creating it where needed. Where it cannot be written a private temporary directory takes its place,
  /// which nothing survives. What is damaged, foreign or of a newer version is renamed, never deleted. [#notes] tells.
  ///
  /// @throws StateDirectoryInUse when another agent has it, naming its pid
  public static StateDirectory open(Path path) throws IOException {
    List<String> notes = new ArrayList<>();
    String problem;
    try {
      return open(path, false, notes);
    } catch (Unusable unusable) {
      problem = unusable.getMessage();
    }
    Path instead = Files.createTempDirectory("sandpiper-state-");
    notes.clear();
    notes.add(
        "--state-dir: %s cannot be used: %s; working in %s, which is removed at the end:"
                .formatted(path, problem, instead)
            + " no output and no process survives this agent");
    try {
      return open(instead, true, notes);
    } catch (Unusable unusable) {
      throw new IOException(
          "--state-dir: neither %s (%s) nor %s (%s) can be used"
              .formatted(path, problem, instead, unusable.getMessage()),
          unusable);
    }
  }

  private static StateDirectory open(Path path, boolean temporary, List<String> notes)
      throws IOException, Unusable {
    prepare(path, notes);
    int lock = lock(path);
    try {
      if (!isCurrent(path, notes)) {
        Files.writeString(path.resolve("version"), VERSION_TEXT + VERSION + "\n");
      }
      Path output = path.resolve("output");
      if (!Files.isDirectory(output)) {
        Files.createDirectory(
            output,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      }
      if (Posix.access(output.toString(), Fcntl.W_OK) < 0) {
        throw new Unusable(output + " cannot be written");
      }
      return new StateDirectory(path, temporary, notes, lock);
    } catch (IOException failure) {
      Posix.close(lock);
      throw new Unusable(failure.toString());
    } catch (Unusable unusable) {
      Posix.close(lock);
      throw unusable;
    }
  }

  private static void prepare(Path path, List<String> notes) throws Unusable {
    try {
      Path parent = path.getParent();
      if (parent != null) {
        Files.createDirectories(parent);
      }
      int made = Posix.mkdir(path.toString(), PRIVATE);
      if (made < 0 && made != -Errno.EEXIST) {
        throw new Unusable(Errno.describe(made));
      }
    } catch (IOException failure) {
      throw new Unusable(failure.toString());
    }
    FileStatus status = Posix.status(path.toString());
    if (status == null || !status.isDirectory()) {
      throw new Unusable("it is no directory");
    }
    if (status.permissions() != PRIVATE) {
      int changed = Posix.chmod(path.toString(), PRIVATE);
      if (changed < 0) {
        throw new Unusable(
            "it is open to others, and that cannot be changed: " + Errno.describe(changed));
      }
      notes.add("--state-dir: %s was open to others and has mode 0700 now".formatted(path));
    }
  }

  private static int lock(Path path) throws Unusable, StateDirectoryInUse {
    Path file = path.resolve("lock");
    int flags = Fcntl.O_RDWR | Fcntl.O_CREAT | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW;
    int fd = Posix.open(file.toString(), flags, 0600);
    if (fd < 0) {
      throw new Unusable("%s: %s".formatted(file, Errno.describe(fd)));
    }
    int locked = Posix.flock(fd, Fcntl.LOCK_EX | Fcntl.LOCK_NB);
    if (locked < 0) {
      String holder = holder(fd);
      Posix.close(fd);
      if (locked == -Errno.EAGAIN) {
        throw new StateDirectoryInUse(path, holder);
      }
      throw new Unusable("%s cannot be locked: %s".formatted(file, Errno.describe(locked)));
    }
    write(fd, Tasks.getpid() + "\n");
    return fd;
  }

  private static void write(int fd, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    // In this order: who reads it meanwhile finds something, and lines that are not whole are known
    // by that.
    Posix.pwrite(fd, ByteBuffer.allocateDirect(bytes.length).put(bytes).flip(), 0);
    Posix.ftruncate(fd, bytes.length);
  }

  /// Writes into the lock file, below the pid, what others may want to know of the agent that has the directory.
  ///
  /// @param lines none with a line break
  public void announce(String... lines) {
    if (lockFd >= 0) {
      write(lockFd, Tasks.getpid() + "\n" + String.join("\n", lines) + "\n");
    }
  }

  private static String holder(int fd) {
    ByteBuffer text = ByteBuffer.allocateDirect(32);
    Posix.pread(fd, text, 0);
    String pid =
        StandardCharsets.US_ASCII.decode(text.flip()).toString().lines().findFirst().orElse("");
    return pid.isEmpty() ? "unknown" : pid;
  }

  /// Whether the content is of our version; if it is of another, it is set aside first.
  private static boolean isCurrent(Path path, List<String> notes) throws IOException {
    String problem = problem(path);
    if (problem == null) {
      return Files.exists(path.resolve("version"));
    }
    Path aside = SetAside.directory(path);
    for (String name : CONTENT) {
      if (Files.exists(path.resolve(name))) {
        Files.move(path.resolve(name), aside.resolve(name));
      }
    }
    notes.add("--state-dir: %s: %s; what was there is kept in %s".formatted(path, problem, aside));
    return false;
  }

  private static @Nullable String problem(Path path) throws IOException {
    Path file = path.resolve("version");
    if (!Files.exists(file)) {
      return Files.exists(path.resolve("journal")) || Files.exists(path.resolve("output"))
          ? "it has a journal or output, but no version"
          : null;
    }
    if (!Files.isRegularFile(file) || Files.size(file) > 100) {
      return "its version file is not ours";
    }
    String text = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).strip();
    if (text.equals(VERSION_TEXT + VERSION)) {
      return null;
    }
    return text.startsWith(VERSION_TEXT)
        ? "it is of version %s, this agent knows %d"
            .formatted(text.substring(VERSION_TEXT.length()), VERSION)
        : "its version file is damaged";
  }

  /// Where the state lives when no setting says otherwise: `/var/lib/sandpiper` for root, else
  /// `$XDG_STATE_HOME/sandpiper` or `~/.local/state/sandpiper`.
  public static Path defaultPath() {
    return defaultPath(Tasks.geteuid(), System.getenv(), System.getProperty("user.home", "/"));
  }

  static Path defaultPath(int uid, Map<String, String> environment, String home) {
    if (uid == 0) {
      return Path.of("/var/lib/sandpiper");
    }
    String state = environment.getOrDefault("XDG_STATE_HOME", "");
    // The specification wants relative ones ignored.
    return state.startsWith("/")
        ? Path.of(state, "sandpiper")
        : Path.of(home, ".local", "state", "sandpiper");
  }

  public Path path() {
    return path;
  }

  /// The directory of the segments; it exists.
  public Path output() {
    return path.resolve("output");
  }

  /// Whether this is the private temporary one, which goes away with the agent.
  public boolean temporary() {
    return temporary;
  }

  /// What the operator has to know about the opening, one sentence each; empty when all was well. [#openJournal] may add some.
  public List<String> notes() {
    return List.copyOf(notes);
  }

  /// Opens the journal.
  ///
  /// @param sync whether each entry is forced to the disk
  public Journal openJournal(boolean sync) throws IOException {
    return Journal.open(path.resolve("journal"), sync, notes);
  }

  /// Lets the directory go, and removes it if it is the temporary one. Twice is fine.
  @Override
  public void close() {
    if (lockFd < 0) {
      return;
    }
    if (temporary) {
      try {
        deleteTree(path);
      } catch (IOException failure) {
        throw new java.io.UncheckedIOException("cannot remove " + path, failure);
      }
    }
    Posix.close(lockFd);
    lockFd = -1;
  }

  private static void deleteTree(Path root) throws IOException {
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path directory, @Nullable IOException failure)
              throws IOException {
            Files.delete(directory);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  /// Why a directory cannot be used; another one may do.
  private static final class Unusable extends Exception {
    @java.io.Serial private static final long serialVersionUID = 1L;

    Unusable(String message) {
      super(message);
    }
  }
}

package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;

/// Where the FIFOs of one state directory live: on tmpfs, where making one costs 10 µs and no disk.
///
/// The directory's name comes from the state directory, so the next agent on it finds the FIFOs of this one; the FIFOs'
/// names begin with the run, so that no two agents ever mean different things by one path. The directory is closed to
/// others (0700); a child that opens its own `/dev/stdout` again goes through `/proc` and needs the FIFO's permission
/// only.
final class FifoDirectory {
  /// Says which state directory this belongs to; when that is gone, nobody can need the FIFOs any more.
  private static final String OWNER_LINK = "state";

  private static final String PREFIX = "sandpiper-";

  private final Path directory;
  private final String run;

  private FifoDirectory(Path directory, String run) {
    this.directory = directory;
    this.run = run;
  }

  /// Picks and prepares the directory: under `/run`, else `/dev/shm`, where these are tmpfs and writable; else inside
  /// the state directory itself. Removes what earlier runs left, except FIFOs for which `stillNeeded` says true.
  static FifoDirectory open(Path stateDirectory, String run, Predicate<String> stillNeeded) {
    return open(List.of(Path.of("/run"), Path.of("/dev/shm")), stateDirectory, run, stillNeeded);
  }

  static FifoDirectory open(
      List<Path> bases, Path stateDirectory, String run, Predicate<String> stillNeeded) {
    Path state = stateDirectory.toAbsolutePath().normalize();
    String mine = PREFIX + Integer.toUnsignedString(Tasks.geteuid()) + '-';
    for (Path base : bases) {
      if (Posix.fileSystemType(base.toString()) == Posix.TMPFS) {
        Path directory = base.resolve(mine + nameOf(state));
        if (isUsable(directory)) {
          Posix.symlink(state.toString(), directory.resolve(OWNER_LINK).toString());
          removeAbandoned(base, mine);
          return new FifoDirectory(directory, run).withoutEarlierRuns(stillNeeded);
        }
      }
    }
    Path inside = state.resolve("fifo");
    if (!isUsable(inside)) {
      throw new UncheckedIOException(
          new IOException("cannot make a private directory for FIFOs: " + inside));
    }
    return new FifoDirectory(inside, run).withoutEarlierRuns(stillNeeded);
  }

  Path path() {
    return directory;
  }

  String fifo(long number) {
    return directory + "/" + run + '.' + number;
  }

  /// Removes the directory where nothing but our own note is left in it.
  void removeIfEmpty() {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        if (!entry.getFileName().toString().equals(OWNER_LINK)) {
          return; // a running command's FIFO, which the next agent opens by this path
        }
      }
    } catch (IOException unreadable) {
      return; // gone already, or not ours to clean any more
    }
    Posix.unlink(directory.resolve(OWNER_LINK).toString());
    Posix.rmdir(directory.toString());
  }

  private FifoDirectory withoutEarlierRuns(Predicate<String> stillNeeded) {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        String name = entry.getFileName().toString();
        boolean ours = name.equals(OWNER_LINK) || name.startsWith(run + '.');
        if (!ours && !stillNeeded.test(entry.toString())) {
          Posix.unlink(entry.toString());
        }
      }
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot read the FIFO directory " + directory, failure);
    }
    return this;
  }

  private static boolean isUsable(Path directory) {
    int made = Posix.mkdir(directory.toString(), 0700);
    if (made < 0 && made != -Errno.EEXIST) {
      return false;
    }
    // In a directory that everybody may write to, somebody else may have been there first.
    FileStatus status = Posix.linkStatus(directory.toString());
    return status != null
        && status.isDirectory()
        && status.uid() == Tasks.geteuid()
        && (status.permissions() & 077) == 0;
  }

  private static void removeAbandoned(Path base, String mine) {
    try (DirectoryStream<Path> siblings = Files.newDirectoryStream(base, mine + "*")) {
      for (Path sibling : siblings) {
        String state = Posix.readlink(sibling.resolve(OWNER_LINK).toString());
        if (state != null && Posix.statusError(state) == -Errno.ENOENT && isUsable(sibling)) {
          removeAll(sibling);
        }
      }
    } catch (IOException unreadable) {
      // Left for the next start: this only saves a little memory.
    }
  }

  private static void removeAll(Path directory) throws IOException {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        Posix.unlink(entry.toString());
      }
    }
    Posix.rmdir(directory.toString());
  }

  /// 64 bits of the path (FNV-1a): short, and the same in every run.
  private static String nameOf(Path state) {
    long hash = 0xcbf29ce484222325L;
    for (char c : state.toString().toCharArray()) {
      hash = (hash ^ c) * 0x100000001b3L;
    }
    return Long.toUnsignedString(hash, 36);
  }
}

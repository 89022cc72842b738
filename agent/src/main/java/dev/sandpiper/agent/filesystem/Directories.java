package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.util.ArrayList;
import java.util.List;

/// Makes directories for a user, with those above them that are missing.
///
/// They are made from the last one that exists downwards, each in the open one above it and without following links, so
/// that giving them to the user never gives away something else that is swapped in meanwhile.
public final class Directories {
  private static final int MODE = 0755;
  private static final int OPEN = Fcntl.O_PATH | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC;

  private final FileWork work;

  public Directories(FileWork work) {
    this.work = work;
  }

  /// What one call made, outermost first.
  ///
  /// @param paths none where all was there
  public record Made(List<String> paths) {
    /// Removes them again, as far as they are empty.
    public void undo() {
      for (String path : paths.reversed()) {
        Posix.rmdir(path);
      }
    }
  }

  /// Makes what is missing of a path; each is `0755` less the umask and belongs to the user. Must run on a thread of the
  /// [FileWork] for that user. Where it fails, nothing that it made is left.
  ///
  /// @param path absolute
  /// @throws FileFailure `NOT_A_DIRECTORY` where a part of it is a file, `NOT_FOUND` where a missing part is followed by
  ///     `..`
  public Made make(String path, User user) throws FileFailure {
    List<String> parts = parts(path);
    int existing = parts.size();
    while (existing > 0) {
      FileStatus status = At.status(Fcntl.AT_FDCWD, prefix(parts, existing), 0);
      if (status.exists()) {
        break;
      }
      if (status.error() != -Errno.ENOENT) {
        throw FileFailure.of(status.error(), "stat", prefix(parts, existing));
      }
      existing--;
    }
    if (parts.subList(existing, parts.size()).contains("..")) {
      throw FileFailure.of(Errno.ENOENT, "mkdir", path);
    }
    List<String> made = new ArrayList<>();
    String base = prefix(parts, existing);
    int dir = Posix.open(base, OPEN, 0);
    if (dir < 0) {
      throw FileFailure.of(dir, "mkdir", base);
    }
    try {
      for (int i = existing; i < parts.size(); i++) {
        String here = prefix(parts, i + 1);
        int next = makeOne(dir, parts.get(i), here, user, made);
        Posix.close(dir);
        dir = next;
      }
    } catch (FileFailure failure) {
      new Made(made).undo();
      throw failure;
    } finally {
      Posix.close(dir);
    }
    return new Made(made);
  }

  private int makeOne(int dir, String name, String path, User user, List<String> made)
      throws FileFailure {
    int error = At.mkdir(dir, name, MODE);
    if (error == 0) {
      made.add(path);
    } else if (error != -Errno.EEXIST) { // then somebody else has just made it
      throw FileFailure.of(error, "mkdir", path);
    }
    int fd = At.open(dir, name, error == 0 ? OPEN | Fcntl.O_NOFOLLOW : OPEN, 0);
    if (fd < 0) {
      throw FileFailure.of(error < 0 ? error : fd, "mkdir", path);
    }
    if (error == 0 && work.mustGiveAway(user)) {
      int given = At.chown(fd, "", user.uid(), user.gid(), Fcntl.AT_EMPTY_PATH);
      if (given < 0) {
        Posix.close(fd);
        throw FileFailure.of(given, "chown", path);
      }
    }
    return fd;
  }

  private static List<String> parts(String path) {
    List<String> parts = new ArrayList<>();
    for (String part : path.split("/", -1)) {
      if (!part.isEmpty() && !part.equals(".")) {
        parts.add(part);
      }
    }
    return parts;
  }

  private static String prefix(List<String> parts, int count) {
    return "/" + String.join("/", parts.subList(0, count));
  }
}

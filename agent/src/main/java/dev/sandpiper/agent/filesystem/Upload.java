package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import dev.sandpiper.agent.posix.At;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.nio.ByteBuffer;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One file on its way to its path. Made by [Uploads#begin]; then any number of [#write], then [#finish] or [#abandon].
///
/// The content goes to a file without a name in the target's directory (`O_TMPFILE`), which vanishes with its descriptor.
/// At the end it gets a name: directly the target's where nothing is there, else for a moment a temporary one, noted
/// before, from which it is renamed over the target. File systems without `O_TMPFILE` get the temporary name from the
/// start. What cannot be replaced by a rename is overwritten: from the temporary file at the end, or, where there can be
/// none beside it, and for devices and FIFOs, as the content comes in.
///
/// Every method blocks on the file system, so it runs on a thread of [FileWork] under the user's identity; any of them,
/// one at a time. A failure leaves the target as it was and nothing else behind (but for what is written as it comes in);
/// nothing but [#abandon] may follow it.
public final class Upload {
  private static final Logger log = LoggerFactory.getLogger("filesystem");

  /// Where the content goes.
  enum Place {
    /// A file without a name.
    NAMELESS,
    /// A file with a temporary name.
    NAMED,
    /// The target itself.
    TARGET
  }

  /// What becomes of the target at the end.
  enum Ending {
    /// It comes into being.
    CREATE,
    /// The new file takes its name.
    REPLACE,
    /// The content is copied into it, because others know it by other names.
    OVERWRITE
  }

  private static final ThreadLocal<ByteBuffer> COPY =
      ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(16 * 1024));

  private static final int TRIES = 16; // of others who make and remove the target meanwhile

  private final Uploads uploads;
  private final UploadTarget target;
  private final Map<String, String> metadata;
  private final Parents parents;
  private Place place = Place.NAMELESS;
  private Ending ending;
  private int fd = -1;
  private @Nullable String temporary;
  private UploadNotes.@Nullable Note note;
  private long written;
  private Map<String, String> stored = Map.of();

  Upload(Uploads uploads, UploadTarget target, Map<String, String> metadata, Parents parents) {
    this.uploads = uploads;
    this.target = target;
    this.metadata = metadata;
    this.parents = parents;
    FileStatus existing = target.existing();
    if (existing == null) {
      ending = Ending.CREATE;
    } else {
      ending = uploads.mayReplace(target, existing) ? Ending.REPLACE : Ending.OVERWRITE;
    }
  }

  /// Opens the place that the content goes to.
  void open() throws FileFailure {
    FileStatus existing = target.existing();
    if (existing != null && (!existing.isRegular() || !target.isReplaceable())) {
      openTarget();
      return;
    }
    int opened = openBeside();
    if (opened == -Errno.ENOENT && existing == null) {
      parents.make(Parents.of(target.path()), uploads.owner(target.user()));
      opened = openBeside();
    }
    if (opened >= 0) {
      fd = opened;
    } else if (existing == null) {
      throw opened == -Errno.ENOTDIR
          ? UploadFailures.parents(opened, "open", Parents.of(target.path()))
          : UploadFailures.opening(opened, target.path());
    } else if (FileFailure.kind(opened) == Kind.NO_SPACE) {
      throw UploadFailures.opening(opened, target.path());
    } else {
      openTarget(); // a directory in which nothing may be made, or one of the kernel's
    }
  }

  /// A descriptor, or `-errno`.
  private int openBeside() throws FileFailure {
    String directory = Parents.of(target.path());
    int mode = ending == Ending.CREATE ? 0666 : 0600; // the umask takes its part
    int opened =
        Posix.open(
            directory, Fcntl.O_TMPFILE | Fcntl.O_RDWR | Fcntl.O_CLOEXEC | Fcntl.O_NOCTTY, mode);
    boolean unknown =
        opened == -Errno.EOPNOTSUPP || opened == -Errno.EISDIR || opened == -Errno.EINVAL;
    if (!unknown) {
      return opened;
    }
    String name = join(directory, UploadNames.next(ending != Ending.CREATE));
    UploadNotes.Note taken = uploads.notes().take(name, null);
    opened =
        Posix.open(
            name,
            Fcntl.O_RDWR | Fcntl.O_CREAT | Fcntl.O_EXCL | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW,
            mode);
    if (opened < 0) {
      taken.crossOut();
    } else {
      place = Place.NAMED;
      temporary = name;
      note = taken;
    }
    return opened;
  }

  private void openTarget() throws FileFailure {
    place = Place.TARGET;
    FileStatus existing = target.existing();
    boolean regular = existing != null && existing.isRegular();
    int flags = Fcntl.O_WRONLY | Fcntl.O_CLOEXEC | Fcntl.O_NOCTTY | Fcntl.O_NONBLOCK;
    String path = target.isReplaceable() ? target.path() : target.given();
    if (regular) {
      uploads.giveAwayExisting(target);
    }
    int opened = Posix.open(path, regular ? flags | Fcntl.O_TRUNC : flags, 0);
    if (opened < 0) {
      throw opened == -Errno.ENXIO
          ? new FileFailure(Kind.BUSY, Errno.ENXIO, "error opening file: nobody reads from " + path)
          : UploadFailures.opening(opened, path);
    }
    fd = opened;
  }

  private static String join(String directory, String name) {
    return directory.equals("/") ? "/" + name : directory + "/" + name;
  }

  /// Appends what is between position and limit of a buffer. A direct one is written from where it lies.
  public void write(ByteBuffer content) throws FileFailure {
    if (content.isDirect()) {
      writeDirect(content);
      return;
    }
    ByteBuffer direct = COPY.get(); // what comes out of TLS lies on the heap
    while (content.hasRemaining()) {
      int length = Math.min(content.remaining(), direct.capacity());
      direct.clear().put(content.slice(content.position(), length)).flip();
      content.position(content.position() + length);
      writeDirect(direct);
    }
  }

  private void writeDirect(ByteBuffer content) throws FileFailure {
    long patience = 0;
    while (content.hasRemaining()) {
      long moved = Posix.write(fd, content);
      if (moved > 0) {
        written += moved;
        patience = 0;
      } else if (moved == -Errno.EAGAIN) {
        patience = SlowWriter.await(patience, target.path());
      } else if (moved != -Errno.EINTR) {
        throw UploadFailures.writing(
            (int) (moved == 0 ? -Errno.EIO : moved), "write", target.path());
      }
    }
  }

  /// Appends the rest of an open file.
  void append(int source) throws FileFailure {
    written += UploadCopy.rest(source, fd, target.path());
  }

  /// How many bytes were written.
  public long written() {
    return written;
  }

  /// Lets the file appear at its path, whole.
  ///
  /// @return its metadata as the file system now has it
  public Map<String, String> finish() throws FileFailure {
    if (place == Place.TARGET) {
      return finishInPlace();
    }
    dress();
    switch (ending) {
      case CREATE -> create();
      case REPLACE -> replace();
      case OVERWRITE -> overwrite();
    }
    return close();
  }

  private Map<String, String> finishInPlace() throws FileFailure {
    FileStatus existing = target.existing();
    if (existing != null && existing.isRegular()) {
      stored = uploads.setMetadata(fd, target.path(), metadata);
    }
    return close();
  }

  /// A network mount may say only now that it has not kept what was written.
  private Map<String, String> close() throws FileFailure {
    int closed = Posix.close(fd);
    fd = -1;
    if (closed < 0 && closed != -Errno.EINTR) {
      throw UploadFailures.writing(closed, "close", target.path());
    }
    return stored;
  }

  /// Gives the new file everything but its name.
  private void dress() throws FileFailure {
    FileStatus existing = target.existing();
    uploads.giveAway(fd, target);
    if (existing != null && ending == Ending.REPLACE) {
      uploads.inherit(fd, target, existing);
    }
    if (ending != Ending.OVERWRITE) { // else the target's own are set when it is overwritten
      stored = uploads.setNewMetadata(fd, target.path(), metadata);
    }
  }

  private void create() throws FileFailure {
    for (int i = 0; i < TRIES; i++) {
      String from = temporary;
      int error =
          from == null
              ? At.link(fd, Fcntl.AT_FDCWD, target.path())
              : Posix.rename(from, target.path(), Fcntl.RENAME_NOREPLACE);
      if (error == -Errno.EINVAL && from != null) { // a file system that cannot promise that
        error = Posix.rename(from, target.path());
      }
      if (error == 0) {
        forgetTemporary();
        return;
      }
      if (error != -Errno.EEXIST) {
        throw UploadFailures.writing(error, from == null ? "link" : "rename", target.path());
      }
      FileStatus now = At.status(Fcntl.AT_FDCWD, target.path(), Fcntl.AT_SYMLINK_NOFOLLOW);
      if (now.exists()) { // somebody was faster: as if we had come later
        if (now.isDirectory()) {
          throw UploadFailures.isDirectory(target.given());
        }
        ending = Ending.REPLACE;
        replace();
        return;
      }
    }
    throw UploadFailures.writing(-Errno.EEXIST, "link", target.path());
  }

  private void replace() throws FileFailure {
    String from = temporary;
    if (from == null) {
      from = join(Parents.of(target.path()), UploadNames.next(true));
      note = uploads.notes().take(from, Posix.status(fd));
      int error = At.link(fd, Fcntl.AT_FDCWD, from);
      if (error < 0) {
        forgetTemporary();
        throw UploadFailures.writing(error, "link", target.path());
      }
      temporary = from;
      place = Place.NAMED;
    }
    int error = Posix.rename(from, target.path());
    if (error == 0) {
      forgetTemporary();
    } else if (error == -Errno.EISDIR) {
      throw UploadFailures.isDirectory(target.given());
    } else {
      overwrite(); // a mount point, or a directory whose files only their owners may replace
    }
  }

  /// Copies the temporary file into the target, after the room for it was made sure of.
  private void overwrite() throws FileFailure {
    uploads.giveAwayExisting(target);
    int to =
        Posix.open(
            target.path(),
            Fcntl.O_WRONLY | Fcntl.O_CLOEXEC | Fcntl.O_NOCTTY | Fcntl.O_NONBLOCK | Fcntl.O_NOFOLLOW,
            0);
    if (to < 0) {
      throw UploadFailures.opening(to, target.path());
    }
    try {
      FileStatus before = Posix.status(to);
      long had = before == null ? 0 : before.size();
      UploadCopy.reserve(to, had, written, target.path());
      Posix.lseek(fd, 0, Fcntl.SEEK_SET);
      UploadCopy.rest(fd, to, target.path());
      if (had > written) {
        int error = Posix.ftruncate(to, written);
        if (error < 0) {
          throw UploadFailures.writing(error, "truncate", target.path());
        }
      }
      stored = uploads.setMetadata(to, target.path(), metadata);
    } finally {
      Posix.close(to);
      removeTemporary();
    }
  }

  private void removeTemporary() {
    String name = temporary;
    if (name != null) {
      int error = Posix.unlink(name);
      if (error < 0 && error != -Errno.ENOENT) {
        log.warn("{} cannot be removed: {}", name, Errno.describe(error));
        return; // the note stays: the next agent tries again
      }
    }
    forgetTemporary();
  }

  private void forgetTemporary() {
    temporary = null;
    if (note != null) {
      note.crossOut();
      note = null;
    }
  }

  /// Gives up: nothing of the upload stays, but for what went directly into the target. May be called at any time and more
  /// than once; after [#finish] it has no effect.
  public void abandon() {
    if (fd >= 0) {
      Posix.close(fd);
      fd = -1;
      removeTemporary();
      if (place != Place.TARGET) {
        parents.takeBack();
      }
    }
  }
}

package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.posix.Xattrs;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Writes files so that each is there whole or not at all (decision 0016).
///
/// A file that is there keeps its mode, less the set-id bits as after any write, and those extended attributes that are
/// not about its content; it changes its owner to the user, as does a new one. Links are followed, also dangling ones. A
/// file with several names is overwritten, so that it stays one file; so is what no rename can replace (a mount point, or
/// a file in a directory in which the agent may make none), and devices and FIFOs are written to.
///
/// Nothing is forced to the disk: what has been answered survives the agent, not a power cut.
///
/// Everything runs on threads of [FileWork]. Thread-safe.
public final class Uploads {
  private static final Logger log = LoggerFactory.getLogger("filesystem");

  /// Attributes that go over to the file that takes another's place. Not those of which the kernel takes care when content
  /// changes, such as capabilities and hashes.
  private static final Set<String> INHERITED =
      Set.of("system.posix_acl_access", "security.selinux", "security.SMACK64");

  private final boolean enforce;
  private final int ownUid = Tasks.geteuid();
  private final UploadNotes notes;

  /// @param enforce whether tasks have their user's rights instead of the agent's
  public Uploads(boolean enforce, UploadNotes notes) {
    this.enforce = enforce;
    this.notes = notes;
  }

  /// Begins a file.
  ///
  /// @param path absolute
  /// @param metadata what is to be kept with the file, in place of what is kept with it now
  /// @throws FileFailure `IS_A_DIRECTORY`, `NO_INODES`, or another kind with a message that says what could not be done
  public Upload begin(User user, String path, Map<String, String> metadata) throws FileFailure {
    Parents parents = new Parents();
    Upload upload = new Upload(this, UploadTarget.find(user, path), metadata, parents);
    try {
      upload.open();
      return upload;
    } catch (FileFailure failure) {
      parents.takeBack();
      throw failure;
    }
  }

  UploadNotes notes() {
    return notes;
  }

  /// Whether the kernel lets tasks of this user do anything to files.
  private boolean isRoot(User user) {
    return (isSwitched(user) ? user.uid() : ownUid) == 0;
  }

  private boolean isSwitched(User user) {
    return enforce && user.uid() != ownUid;
  }

  /// Whom new files are to be given to; null where they are theirs from the start.
  @Nullable User owner(User user) {
    return isSwitched(user) ? null : user;
  }

  /// Whether a file may lose its inode: it has no other name, and its replacement can get the owner that it is to have.
  boolean mayReplace(UploadTarget target, FileStatus existing) {
    return existing.links() == 1
        && (isRoot(target.user()) || (existing.uid() == target.user().uid() && isWritable(target)));
  }

  /// A rename asks for rights on the directory only; whoever may not write a file shall not replace it either.
  private static boolean isWritable(UploadTarget target) {
    int fd =
        Posix.open(
            target.path(),
            Fcntl.O_WRONLY | Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK | Fcntl.O_NOFOLLOW | Fcntl.O_NOCTTY,
            0);
    if (fd >= 0) {
      Posix.close(fd);
    }
    return fd >= 0 || fd == -Errno.ETXTBSY;
  }

  /// Gives a new file to its user.
  void giveAway(int fd, UploadTarget target) throws FileFailure {
    User owner = owner(target.user());
    FileStatus now = owner == null ? null : Posix.status(fd);
    if (owner != null && (now == null || now.uid() != owner.uid() || now.gid() != owner.gid())) {
      int error = Posix.fchown(fd, owner.uid(), owner.gid());
      if (error < 0) {
        throw UploadFailures.opening(error, target.path());
      }
    }
  }

  /// Gives a file that is overwritten to its user, where that can be done.
  void giveAwayExisting(UploadTarget target) throws FileFailure {
    FileStatus now = target.existing();
    User user = target.user();
    if (now != null
        && isRoot(user)
        && owner(user) != null
        && (now.uid() != user.uid() || now.gid() != user.gid())) {
      int error = Posix.chown(target.path(), user.uid(), user.gid());
      if (error < 0 && error != -Errno.EPERM && error != -Errno.EROFS) {
        throw UploadFailures.opening(error, target.path());
      }
    }
  }

  /// Gives a new file the mode and attributes of the one whose place it takes.
  void inherit(int fd, UploadTarget target, FileStatus existing) throws FileFailure {
    int error = Posix.fchmod(fd, existing.permissions() & 01777);
    if (error < 0) {
      throw UploadFailures.opening(error, target.path());
    }
    List<String> names = new ArrayList<>();
    Xattrs.list(target.path(), false, names);
    for (String name : names) {
      if (INHERITED.contains(name)
          || (name.startsWith("user.") && !name.startsWith(Metadata.PREFIX))) {
        byte[] value = Xattrs.get(target.path(), false, name);
        error = value == null ? 0 : Xattrs.set(fd, name, value);
        if (error < 0) {
          log.debug("{} loses {}: {}", target.path(), name, Errno.describe(error));
        }
      }
    }
  }

  /// Sets the metadata of a file that has none; answers what it then has.
  Map<String, String> setNewMetadata(int fd, String path, Map<String, String> metadata)
      throws FileFailure {
    return metadata.isEmpty() ? Map.of() : setMetadata(fd, path, metadata);
  }

  /// Sets the metadata of a file that may have some; answers what it then has. A file system without extended attributes
  /// keeps none, which is no failure.
  Map<String, String> setMetadata(int fd, String path, Map<String, String> metadata)
      throws FileFailure {
    int error = Metadata.replace(fd, metadata);
    if (error == -Errno.EOPNOTSUPP) {
      if (!metadata.isEmpty()) {
        log.warn("{} gets no metadata: its file system has no extended attributes", path);
      }
      return Map.of();
    }
    if (error < 0) {
      throw UploadFailures.metadata(FileFailure.of(error, "fsetxattr", path));
    }
    return metadata.isEmpty() ? Map.of() : Metadata.read(fd);
  }
}

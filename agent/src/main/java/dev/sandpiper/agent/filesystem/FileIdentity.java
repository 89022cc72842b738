package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Tasks;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Lends the calling thread another user's rights on files, and takes them back (setfsuid(2), credentials(7)).
///
/// Groups, file system group id and file system user id become the user's; leaving user id 0 takes the capabilities on
/// files away by itself, and coming back returns them. Real and effective ids stay the agent's, so the user may at no
/// moment signal or trace this thread. Raw system calls, so that only this thread changes. `setfsuid` reports nothing:
/// each switch is read back. Not thread-safe: one per thread, made while the thread has its own identity.
final class FileIdentity {
  /// Users whose group lists are kept encoded; beyond that they are encoded again.
  private static final int KEPT_GROUP_LISTS = 64;

  private static final int ASK =
      -1; // an id that nobody has: nothing changes, the current one is answered

  private final int uid;
  private final int gid;
  private final Tasks.Groups groups;
  private final Map<List<Integer>, Tasks.Groups> encoded = new HashMap<>();

  /// @param groups the agent's own, read on a thread that certainly had its own identity
  FileIdentity(int uid, int gid, int[] groups) {
    this.uid = uid;
    this.gid = gid;
    this.groups = new Tasks.Groups(groups);
  }

  /// Zero, or `-errno` with nothing changed that [#giveBack] does not undo.
  int take(User user) {
    if (encoded.size() > KEPT_GROUP_LISTS) {
      encoded.clear();
    }
    Tasks.Groups theirs =
        encoded.computeIfAbsent(
            user.groups(),
            ids -> new Tasks.Groups(ids.stream().mapToInt(Integer::intValue).toArray()));
    int error = Tasks.setgroups(theirs);
    return error < 0 ? error : set(user.uid(), user.gid());
  }

  /// Zero, or `-errno`: then the thread must not work on.
  int giveBack() {
    int error = set(uid, gid); // first, for what comes with user id 0
    int groupsError = Tasks.setgroups(groups);
    return error < 0 ? error : groupsError;
  }

  private static int set(int user, int group) {
    Tasks.setfsgid(group);
    Tasks.setfsuid(user);
    return Tasks.setfsuid(ASK) == user && Tasks.setfsgid(ASK) == group ? 0 : -Errno.EPERM;
  }
}

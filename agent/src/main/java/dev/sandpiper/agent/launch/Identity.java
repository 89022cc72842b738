package dev.sandpiper.agent.launch;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Lends the calling thread another user's identity, and takes it back.
///
/// Real and effective ids become the user's, the saved user id stays 0 to come back; the switch and back cost 5 µs. For
/// that moment (about 0.1 ms around a spawn) that user may send signals to this thread. Threads inherit the identity of
/// the one that starts them, so nothing may start a thread between the two calls, and only the spawner thread calls
/// them. Not thread-safe: one per thread.
final class Identity {
  /// Users whose group lists are kept encoded; beyond that they are encoded again.
  private static final int KEPT_GROUP_LISTS = 64;

  private final int uid;
  private final int gid;
  private final Tasks.Groups groups;
  private final Map<List<Integer>, Tasks.Groups> encoded = new HashMap<>();

  Identity() {
    uid = Tasks.getuid();
    gid = Tasks.getgid();
    groups = new Tasks.Groups(Tasks.getgroups());
  }

  /// Encodes what {@link #take} needs, so that it makes system calls only.
  Tasks.Groups prepare(User user) {
    if (encoded.size() > KEPT_GROUP_LISTS) {
      encoded.clear();
    }
    return encoded.computeIfAbsent(
        user.groups(), ids -> new Tasks.Groups(ids.stream().mapToInt(Integer::intValue).toArray()));
  }

  /// Makes every call once with the thread's own identity, so that nothing is loaded while it has another.
  void warmUp() {
    Tasks.setgroups(groups); // refused without root, which is as good for this purpose
    Tasks.setresgid(-1, -1, -1);
    Tasks.setresuid(-1, -1, -1);
  }

  /// Zero, or `-errno` with the thread's own identity restored.
  int take(User user, Tasks.Groups userGroups) {
    int error = Tasks.setgroups(userGroups);
    if (error == 0) {
      error = Tasks.setresgid(user.gid(), user.gid(), user.gid());
    }
    if (error == 0) {
      error = Tasks.setresuid(user.uid(), user.uid(), 0);
    }
    if (error < 0) {
      giveBack();
    }
    return error;
  }

  /// Ends the agent when the kernel refuses: a thread with the wrong identity must not go on.
  void giveBack() {
    int user = Tasks.setresuid(uid, 0, 0);
    int group = Tasks.setresgid(gid, gid, gid);
    int extra = Tasks.setgroups(groups);
    int failed = Math.min(user, Math.min(group, extra));
    if (failed < 0) {
      String lastWords =
          "sandpiper: the spawner thread could not take back its identity ("
              + Errno.describe(failed)
              + "); ending, because nothing may run under the wrong user\n";
      byte[] bytes = lastWords.getBytes(StandardCharsets.UTF_8);
      Posix.write(2, ByteBuffer.allocateDirect(bytes.length).put(bytes).flip());
      Runtime.getRuntime().halt(70);
    }
  }
}

package dev.sandpiper.agent.accounts;

import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// The users of this system, from `/etc/passwd` and `/etc/group` themselves: no name service is asked.
///
/// Names are exact. What was read is kept until a file's inode, size or time changes, so that a look-up costs two
/// stat(2) at most, one in a millisecond, and an account made a moment ago is found. Thread-safe.
public final class Users {
  private final Path passwd;
  private final Path group;
  private final int ownUid;
  private final int ownGid;
  private final boolean canSwitch;
  private volatile @Nullable Snapshot snapshot;

  /// When the files were last looked at. One request asks for users and groups some eight times; an account cannot be
  /// made and then asked for in a millisecond.
  private volatile long lookedAt;

  private static final long LOOK_AGAIN_NANOS = 1_000_000;

  private record Stamp(long device, long inode, long size, long modifiedNanos, long changedNanos) {
    static final Stamp MISSING = new Stamp(-1, -1, -1, -1, -1);

    static Stamp of(Path file) {
      FileStatus status = Posix.status(file.toString());
      return status == null
          ? MISSING
          : new Stamp(
              status.device(),
              status.inode(),
              status.size(),
              status.modifiedNanos(),
              status.changedNanos());
    }
  }

  /// @param users those that were asked for, from `lines`
  private record Snapshot(
      Stamp passwd,
      Stamp group,
      Map<String, String> lines,
      ConcurrentHashMap<String, User> users,
      Map<String, List<Integer>> groups,
      Map<String, Integer> groupIds,
      Map<Integer, String> userNames,
      Map<Integer, String> groupNames,
      User self) {}

  public Users() {
    this(Path.of("/etc/passwd"), Path.of("/etc/group"));
  }

  Users(Path passwd, Path group) {
    this(passwd, group, Tasks.geteuid() == 0 && hasSwitchCapabilities());
  }

  /// Accounts from other files, with the right to switch as told: for tests.
  public Users(Path passwd, Path group, boolean canSwitch) {
    this.passwd = passwd;
    this.group = group;
    this.canSwitch = canSwitch;
    ownUid = Tasks.geteuid();
    ownGid = Tasks.getegid();
  }

  /// The user of exactly this name. An entry whose ids are not numbers is an `IllegalStateException` that quotes it.
  public Optional<User> find(String name) {
    Snapshot now = current();
    String line = now.lines.get(name);
    if (line == null) {
      return Optional.empty();
    }
    User known = now.users.get(name);
    return Optional.of(
        known != null ? known : now.users.computeIfAbsent(name, _ -> parse(line, now.groups)));
  }

  /// The agent's own user; where its uid has no entry, one named `uid N` that lives in `/`.
  public User self() {
    return current().self;
  }

  private User ownUser(Map<String, String> lines, Map<String, List<Integer>> groups) {
    for (String line : lines.values()) {
      String[] fields = line.split(":", -1);
      if (fields.length >= 7
          && fields[2].equals(Integer.toUnsignedString(ownUid))
          && id(fields[3]) != null) {
        return parse(line, groups);
      }
    }
    return new User(
        "uid " + Integer.toUnsignedString(ownUid), ownUid, ownGid, List.of(ownGid), "/", "/bin/sh");
  }

  /// The number of a group by its name.
  public Optional<Integer> groupId(String name) {
    return Optional.ofNullable(current().groupIds.get(name));
  }

  /// The name of the account with this number; the number itself where there is none.
  public String userName(int uid) {
    return current().userNames.getOrDefault(uid, Integer.toUnsignedString(uid));
  }

  /// The name of the group with this number; the number itself where there is none.
  public String groupName(int gid) {
    return current().groupNames.getOrDefault(gid, Integer.toUnsignedString(gid));
  }

  /// Whether the agent may take another user's identity: it is root and has the capabilities for it.
  public boolean canSwitch() {
    return canSwitch;
  }

  private Snapshot current() {
    Snapshot kept = snapshot;
    long now = System.nanoTime();
    if (kept != null && now - lookedAt < LOOK_AGAIN_NANOS) {
      return kept;
    }
    Stamp passwdNow = Stamp.of(passwd);
    Stamp groupNow = Stamp.of(group);
    lookedAt = now;
    if (kept != null && kept.passwd.equals(passwdNow) && kept.group.equals(groupNow)) {
      return kept;
    }
    List<String> groupLines = lines(group);
    List<String> passwdLines = lines(passwd);
    Map<String, String> byName = readPasswd(passwdLines);
    Map<String, List<Integer>> byMember = readGroups(groupLines);
    Snapshot fresh =
        new Snapshot(
            passwdNow,
            groupNow,
            byName,
            new ConcurrentHashMap<>(4),
            byMember,
            readGroupIds(groupLines),
            readNames(passwdLines),
            readNames(groupLines),
            ownUser(byName, byMember));
    snapshot = fresh;
    return fresh;
  }

  private static List<String> lines(Path file) {
    if (!Files.exists(file)) {
      return List.of(); // images without accounts exist
    }
    try {
      // Latin-1 takes every byte: a name that is not UTF-8 must not hide the others.
      return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).lines().toList();
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot read " + file + " to find a user", failure);
    }
  }

  private static Map<String, String> readPasswd(List<String> lines) {
    Map<String, String> byName = new LinkedHashMap<>();
    for (String line : lines) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        byName.putIfAbsent(utf8(line.substring(0, colon)), utf8(line));
      }
    }
    return byName;
  }

  private static Map<String, List<Integer>> readGroups(List<String> lines) {
    Map<String, List<Integer>> byMember = new HashMap<>();
    for (String line : lines) {
      String[] fields = line.split(":", -1);
      Integer gid = fields.length >= 4 ? id(fields[2]) : null;
      if (gid != null) {
        for (String member : utf8(fields[3]).split(",", -1)) {
          byMember.computeIfAbsent(member.strip(), _ -> new ArrayList<>()).add(gid);
        }
      }
    }
    return byMember;
  }

  private static Map<String, Integer> readGroupIds(List<String> lines) {
    Map<String, Integer> byName = new HashMap<>();
    for (String line : lines) {
      String[] fields = line.split(":", -1);
      Integer gid = fields.length >= 3 ? id(fields[2]) : null;
      if (gid != null) {
        byName.putIfAbsent(utf8(fields[0]), gid);
      }
    }
    return byName;
  }

  /// Names by number, which is the third field of both files; the first entry of a number counts.
  private static Map<Integer, String> readNames(List<String> lines) {
    Map<Integer, String> byId = new HashMap<>();
    for (String line : lines) {
      String[] fields = line.split(":", -1);
      Integer id = fields.length >= 3 ? id(fields[2]) : null;
      if (id != null) {
        byId.putIfAbsent(id, utf8(fields[0]));
      }
    }
    return byId;
  }

  private User parse(String line, Map<String, List<Integer>> memberships) {
    String[] fields = line.split(":", -1);
    Integer uid = fields.length >= 7 ? id(fields[2]) : null;
    Integer gid = fields.length >= 7 ? id(fields[3]) : null;
    if (uid == null || gid == null) {
      throw new IllegalStateException(
          passwd + ": the entry '" + line + "' has no valid user and group number");
    }
    List<Integer> groups = new ArrayList<>(List.of(gid));
    for (Integer extra : memberships.getOrDefault(fields[0], List.of())) {
      if (!groups.contains(extra)) {
        groups.add(extra);
      }
    }
    return new User(fields[0], uid, gid, groups, fields[5], fields[6]);
  }

  private static String utf8(String latin1) {
    return new String(latin1.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8);
  }

  private static @Nullable Integer id(String digits) {
    try {
      int id = Integer.parseUnsignedInt(digits);
      return id == -1 ? null : id; // -1 means "leave as it is" to every kernel call
    } catch (NumberFormatException notANumber) {
      return null;
    }
  }

  private static boolean hasSwitchCapabilities() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/thread-self/status"))) {
        if (line.startsWith("CapEff:")) {
          long effective = Long.parseUnsignedLong(line.substring("CapEff:".length()).strip(), 16);
          long setgidAndSetuid = 1L << 6 | 1L << 7; // capabilities(7)
          return (effective & setgidAndSetuid) == setgidAndSetuid;
        }
      }
    } catch (IOException | NumberFormatException unreadable) {
      return true; // root without a readable /proc: try, and let the kernel answer
    }
    return true;
  }
}

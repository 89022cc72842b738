package dev.sandpiper.agent.filesystem;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// As root only: what the kernel lets tasks of other users do. Users are numbers to the kernel, so none need an account.
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class UserRightsTest {
  private static final int WRITE_NEW =
      Fcntl.O_WRONLY | Fcntl.O_CREAT | Fcntl.O_EXCL | Fcntl.O_CLOEXEC;

  private static final int SHARED_GROUP = 61_999;

  @TempDir Path dir;
  private final Users users = new Users();
  private final FileWork work = new FileWork(users, true);
  private final User user = user(61_001);

  private static User user(int id) {
    return new User("u" + id, id, id, List.of(id, SHARED_GROUP), "/", "/bin/sh");
  }

  @BeforeEach
  void open() throws Exception {
    assumeThat(Tasks.geteuid()).as("switching users needs root").isZero();
    Posix.chmod(dir.toString(), 0755);
    for (Path parent = dir.getParent(); parent != null; parent = parent.getParent()) {
      assumeThat(requireNonNull(Posix.status(parent.toString())).permissions() & 1)
          .as("%s can be entered by everybody", parent)
          .isOne();
    }
  }

  @AfterEach
  void close() {
    work.close();
  }

  private String make(String name, int mode, int uid, int gid) throws Exception {
    String path = Files.writeString(dir.resolve(name), "secret").toString();
    assertThat(Posix.chown(path, uid, gid)).isZero();
    assertThat(Posix.chmod(path, mode)).isZero();
    return path;
  }

  private int openAs(User who, String path, int flags) throws Exception {
    return Doing.now(
        work,
        who,
        () -> {
          int fd = Posix.open(path, flags, 0644);
          Posix.close(fd);
          return Math.min(fd, 0);
        });
  }

  @Test
  void rootsFilesAreClosedToTheUserAndOpenToTheAgent() throws Exception {
    String secret = make("secret", 0600, 0, 0);
    assertThat(openAs(user, secret, Fcntl.O_RDONLY)).isEqualTo(-Errno.EACCES);
    assertThat(openAs(user, secret, Fcntl.O_WRONLY)).isEqualTo(-Errno.EACCES);
    assertThat(openAs(user, "/etc/shadow", Fcntl.O_RDONLY)).isEqualTo(-Errno.EACCES);
    assertThat(openAs(users.self(), secret, Fcntl.O_RDONLY)).isZero();
    assertThat(openAs(user, dir + "/new", WRITE_NEW)).isEqualTo(-Errno.EACCES);
    assertThat(Doing.<Integer>now(work, user, () -> Posix.chown(secret, user.uid(), user.gid())))
        .isEqualTo(-Errno.EPERM);
    assertThat(Doing.<Integer>now(work, user, () -> Posix.unlink(secret))).isEqualTo(-Errno.EACCES);
  }

  @Test
  void supplementaryGroupsCountAndRootsOwnDoNot() throws Exception {
    assertThat(openAs(user, make("shared", 0640, 0, SHARED_GROUP), Fcntl.O_RDONLY)).isZero();
    assertThat(openAs(user, make("roots", 0640, 0, 0), Fcntl.O_RDONLY)).isEqualTo(-Errno.EACCES);
  }

  @Test
  void whatIsMadeBelongsToTheUser() throws Exception {
    Posix.chown(dir.toString(), user.uid(), user.gid());
    assertThat(work.mustGiveAway(user)).isFalse();
    assertThat(openAs(user, dir + "/new", WRITE_NEW)).isZero();
    FileStatus made = requireNonNull(Posix.status(dir + "/new"));
    assertThat(made.uid()).isEqualTo(user.uid());
    assertThat(made.gid()).isEqualTo(user.gid());
  }

  @Test
  void withoutEnforcementTheAgentsRightsCountAndTheRestIsGivenAway() throws Exception {
    String secret = make("secret", 0600, 0, 0);
    try (FileWork lenient = new FileWork(users, false)) {
      assertThat(lenient.mustGiveAway(user)).isTrue();
      assertThat(lenient.mustGiveAway(users.self())).isFalse();
      int fd = Doing.now(lenient, user, () -> Posix.open(secret, Fcntl.O_RDONLY, 0));
      assertThat(fd).isPositive();
      Posix.close(fd);
    }
  }

  @Test
  void theUserMayNotReachTheThreadThatActsForIt() throws Exception {
    String status =
        Doing.now(
            work,
            user,
            () -> {
              try {
                return Files.readString(Path.of("/proc/thread-self/status"));
              } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
              }
            });
    assertThat(status).contains("Uid:\t0\t0\t0\t" + user.uid() + "\n");
  }

  @Test
  void fourUsersAtOnceUnderGarbageCollectionAreNeverMixed() throws Exception {
    List<User> four = List.of(user(61_001), user(61_002), user(61_003), user(61_004));
    for (User each : four) {
      Path own = Files.createDirectory(dir.resolve(each.name()));
      Posix.chown(own.toString(), each.uid(), each.gid());
      Posix.chmod(own.toString(), 0700);
    }
    AtomicBoolean over = new AtomicBoolean();
    Thread collector =
        Thread.ofPlatform()
            .start(() -> {
              while (!over.get()) {
                System.gc();
                LockSupport.parkNanos(5_000_000); // leave something for the tasks
              }
            });
    List<CompletableFuture<String>> answers = new ArrayList<>();
    CountDownLatch all = new CountDownLatch(16); // so that every thread of the pool takes part
    int tasks = Boolean.getBoolean("sandpiper.proof") ? 3000 : 1000;
    try {
      for (int i = 0; i < tasks; i++) {
        User me = four.get(i % 4);
        User other = four.get((i + 1) % 4);
        String mine = dir + "/" + me.name() + "/" + i;
        int number = i;
        answers.add(
            Doing.start(
                work,
                i % 5 == 0 ? users.self() : me,
                () -> {
                  if (number < 16) {
                    all.countDown();
                    try {
                      all.await();
                    } catch (InterruptedException e) {
                      throw new IllegalStateException(e);
                    }
                  }
                  int fd = Posix.open(mine, WRITE_NEW, 0600);
                  FileStatus status = Posix.status(fd);
                  Posix.close(fd);
                  int theirs = Posix.statusError(dir + "/" + other.name() + "/none");
                  return (status == null ? "not made" : status.uid() + ":" + status.gid())
                      + " "
                      + Errno.name(theirs);
                }));
      }
      for (int i = 0; i < answers.size(); i++) {
        int uid = four.get(i % 4).uid();
        assertThat(answers.get(i).get())
            .isEqualTo(i % 5 == 0 ? "0:0 ENOENT" : uid + ":" + uid + " EACCES");
      }
    } finally {
      over.set(true);
      collector.join();
    }
    assertThat(work.threads()).isGreaterThanOrEqualTo(16);
    assertEveryThreadIsRoot();
  }

  private static void assertEveryThreadIsRoot() throws Exception {
    try (var tasks = Files.list(Path.of("/proc/self/task"))) {
      for (Path task : tasks.toList()) {
        String status;
        try {
          status = Files.readString(task.resolve("status"));
        } catch (NoSuchFileException ended) {
          continue;
        }
        assertThat(status).contains("Uid:\t0\t0\t0\t0\n", "Gid:\t0\t0\t0\t0\n");
        assertThat(status).doesNotContain(Integer.toString(SHARED_GROUP));
      }
    }
  }
}

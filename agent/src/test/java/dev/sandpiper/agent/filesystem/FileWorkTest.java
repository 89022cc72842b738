package dev.sandpiper.agent.filesystem;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.filesystem.FileFailure.Kind;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class FileWorkTest {
  private final Users users = new Users();
  private final FileWork work = new FileWork(users, false);
  private final CountDownLatch release = new CountDownLatch(1);

  @AfterEach
  void close() {
    release.countDown();
    work.close();
  }

  @CanIgnoreReturnValue
  private List<CompletableFuture<Integer>> hangAll(CountDownLatch begun) throws Exception {
    List<CompletableFuture<Integer>> all = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      all.add(hang(begun));
    }
    begun.await();
    return all;
  }

  private CompletableFuture<Integer> hang(CountDownLatch begun) {
    return Doing.start(
        work,
        users.self(),
        () -> {
          begun.countDown();
          awaitQuietly(release);
          return 1;
        });
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void noThreadBeforeTheFirstTaskAndOneForTasksThatFollowEachOther() throws Exception {
    assertThat(work.threads()).isZero();
    Set<String> names = ConcurrentHashMap.newKeySet();
    for (int i = 0; i < 100; i++) {
      Doing.now(work, users.self(), () -> names.add(Thread.currentThread().getName()));
      // The answer is given before the thread is idle again; a second one may be started then.
    }
    assertThat(names).containsExactly("files");
    assertThat(work.threads()).isBetween(1, 16);
  }

  @Test
  void aFailureIsHandedOn() {
    assertThatThrownBy(() ->
            Doing.now(
                work,
                users.self(),
                () -> {
                  throw FileFailure.of(-2, "lstat", "/x");
                }))
        .isInstanceOf(FileFailure.class)
        .hasMessage("lstat /x: no such file or directory");
  }

  @Test
  void aDefectIsAnInternalErrorAndTheThreadGoesOn() throws Exception {
    assertThatThrownBy(() ->
            Doing.now(
                work,
                users.self(),
                () -> {
                  throw new IllegalStateException("on purpose");
                }))
        .isInstanceOf(FileFailure.class)
        .hasMessage("internal error");
    assertThat(Doing.<Integer>now(work, users.self(), () -> 7)).isEqualTo(7);
  }

  @Test
  void stuckTasksAreWorkedAround() throws Exception {
    CountDownLatch begun = new CountDownLatch(16);
    List<CompletableFuture<Integer>> stuck = hangAll(begun);
    assertThat(work.threads()).isEqualTo(16);
    CompletableFuture<Integer> waits = Doing.start(work, users.self(), () -> 2);
    assertThat(work.threads()).isEqualTo(16);
    // A second later they count as stuck: who waited is served, also when nobody else comes.
    assertThat(waits.get()).isEqualTo(2);
    assertThat(work.threads()).isGreaterThan(16);
    release.countDown();
    for (CompletableFuture<Integer> each : stuck) {
      assertThat(each.get()).isEqualTo(1);
    }
  }

  @Test
  void theTaskBeyondTheBoundIsRefusedAndTheOthersAreDone() throws Exception {
    CountDownLatch begun = new CountDownLatch(16);
    hangAll(begun);
    List<CompletableFuture<Integer>> queued = new ArrayList<>();
    FileFailure refusal = null;
    for (int i = 0; i < 5000 && refusal == null; i++) {
      CompletableFuture<Integer> next = Doing.start(work, users.self(), () -> 2);
      if (next.isCompletedExceptionally()) {
        refusal = (FileFailure) next.exceptionNow();
      } else {
        queued.add(next);
      }
    }
    assertThat(requireNonNull(refusal).kind()).isEqualTo(Kind.LIMIT);
    assertThat(refusal).hasMessage("too many file operations at once: 4096 are waiting already");
    release.countDown();
    for (CompletableFuture<Integer> each : queued) {
      assertThat(each.get()).isEqualTo(2);
    }
  }

  @Test
  void closeFailsWhatWaitsAndDoesNotWaitForWhatHangs() throws Exception {
    CountDownLatch begun = new CountDownLatch(16);
    hangAll(begun);
    CompletableFuture<Integer> waits = Doing.start(work, users.self(), () -> 2);
    long began = System.nanoTime();
    work.close();
    assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(30));
    assertThat(((FileFailure) waits.exceptionNow()).kind()).isEqualTo(Kind.STOPPING);
    assertThatThrownBy(() -> Doing.now(work, users.self(), () -> 3))
        .hasMessage("the agent is stopping");
  }

  @Test
  void enforcementThatTheAgentCannotDoIsRefusedButForItsOwnUser() throws Exception {
    Users powerless = new Users(Path.of("/etc/passwd"), Path.of("/etc/group"), false);
    try (FileWork enforcing = new FileWork(powerless, true)) {
      User other = new User("other", 60_001, 60_001, List.of(60_001), "/", "/bin/sh");
      assertThatThrownBy(() -> Doing.now(enforcing, other, () -> 1))
          .isInstanceOfSatisfying(
              FileFailure.class, failure -> assertThat(failure.kind()).isEqualTo(Kind.DENIED))
          .hasMessageContaining("may not act as user 'other'");
      assertThat(Doing.<Integer>now(enforcing, powerless.self(), () -> 1)).isEqualTo(1);
    }
  }
}

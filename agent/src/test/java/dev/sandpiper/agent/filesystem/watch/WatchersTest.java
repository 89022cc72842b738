package dev.sandpiper.agent.filesystem.watch;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.accounts.Users;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.telemetry.Counters;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Polling watchers and streams over real threads.
final class WatchersTest {
  @TempDir Path directory;
  private final Users users = new Users();
  private final FileWork work = new FileWork(users, false);
  private final List<Watches> made = new ArrayList<>();

  @AfterEach
  void close() {
    made.forEach(Watches::close);
    work.close();
  }

  private Watches watches(long buffer, int watchers, Duration expiry) {
    Watches watches =
        new Watches(
            new WatchSettings(buffer, 1000, watchers, expiry), work, _ -> null, new Counters());
    made.add(watches);
    return watches;
  }

  private WatchRequest request(Path path) {
    return new WatchRequest(path.toString(), true, false, false, users.self());
  }

  private static <T> T answer(Consumer<Watchers.Answer<T>> call) throws Exception {
    CompletableFuture<T> future = new CompletableFuture<>();
    call.accept(
        new Watchers.Answer<>() {
          @Override
          public void is(T result) {
            future.complete(result);
          }

          @Override
          public void failed(WatchFailure failure) {
            future.completeExceptionally(failure);
          }
        });
    return future.get(60, SECONDS);
  }

  private static List<String> poll(Watchers watchers, String id) throws Exception {
    return WatchersTest.<List<WatchEvent>>answer(answer -> watchers.events(id, answer)).stream()
        .map(event -> event.type() + " " + event.name())
        .toList();
  }

  @Test
  void aWatcherHasItsEventsUntilItIsRemoved() throws Exception {
    Watches watches = watches(1 << 20, 4, Duration.ofHours(1));
    Watchers watchers = new Watchers(watches);
    String id = answer(answer -> watchers.create(request(directory), answer));
    assertThat(id).matches("w[a-z0-9]{20}");
    assertThat(poll(watchers, id)).isEmpty();
    Files.createFile(directory.resolve("f"));
    await().untilAsserted(() -> assertThat(poll(watchers, id)).containsExactly("CREATE f"));
    assertThat(poll(watchers, id)).isEmpty();
    watchers.remove(id);
    assertThatThrownBy(() -> watchers.remove(id)).hasMessageContaining(id + " not found");
    assertThatThrownBy(() -> poll(watchers, id)).hasMessageContaining(id + " not found");
    await("the thread ends").until(() -> !watches.loop().running());
  }

  @Test
  void oneMoreThanAllowedIsRefusedUntilOneIsRemoved() throws Exception {
    Watchers watchers = new Watchers(watches(1 << 20, 1, Duration.ofHours(1)));
    String id = answer(answer -> watchers.create(request(directory), answer));
    assertThatThrownBy(
            () -> WatchersTest.<String>answer(a -> watchers.create(request(directory), a)))
        .hasMessageContaining("--watchers");
    watchers.remove(id);
    assertThat(WatchersTest.<String>answer(a -> watchers.create(request(directory), a)))
        .isNotEmpty();
  }

  @Test
  void aWatcherThatNobodyAsksForExpires() throws Exception {
    Watches watches = watches(1 << 20, 4, Duration.ofMillis(200));
    Watchers watchers = new Watchers(watches);
    String id = answer(answer -> watchers.create(request(directory), answer));
    await("nothing is left").until(() -> !watches.loop().running());
    assertThatThrownBy(() -> poll(watchers, id)).hasMessageContaining("--watcher-expiry");
  }

  @Test
  void aFullBufferIsReportedOnceAndTheWatcherGoesOn() throws Exception {
    Watchers watchers = new Watchers(watches(1000, 4, Duration.ofHours(1)));
    String id = answer(answer -> watchers.create(request(directory), answer));
    for (int i = 0; i < 200; i++) {
      Files.createFile(directory.resolve("file" + i));
    }
    AtomicInteger kept = new AtomicInteger();
    await()
        .untilAsserted(() ->
            assertThatThrownBy(() -> kept.addAndGet(poll(watchers, id).size()))
                .hasMessageContaining("events were lost")
                .hasMessageContaining("--watch-buffer")
                .hasMessageContaining("begun anew"));
    Files.createFile(directory.resolve("after"));
    List<String> told = new ArrayList<>();
    await()
        .untilAsserted(() -> {
          told.addAll(poll(watchers, id));
          assertThat(told).contains("CREATE after");
        });
    assertThat(told.size() + kept.get()).isBetween(2, 200);
  }

  @Test
  void aRenamedDirectoryIsExplainedEveryTime() throws Exception {
    Path watched = Files.createDirectory(directory.resolve("w"));
    Watchers watchers = new Watchers(watches(1 << 20, 4, Duration.ofHours(1)));
    String id = answer(answer -> watchers.create(request(watched), answer));
    Files.move(watched, directory.resolve("v"));
    await().untilAsserted(() -> assertThat(poll(watchers, id)).containsExactly("RENAME ."));
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> poll(watchers, id))
          .hasMessageContaining("was renamed")
          .hasMessageContaining("create another");
    }
  }

  @Test
  void aClosedWatchLetsGoOfEverything() throws Exception {
    Watches watches = watches(1 << 20, 4, Duration.ofHours(1));
    CompletableFuture<DirectoryWatch> begun = new CompletableFuture<>();
    DirectoryWatch watch =
        watches.open(
            request(directory),
            new Watches.Begun() {
              @Override
              public void begun(DirectoryWatch opened) {
                begun.complete(opened);
              }

              @Override
              public void failed(WatchFailure failure) {
                begun.completeExceptionally(failure);
              }
            });
    assertThat(begun.get(60, SECONDS)).isSameAs(watch);
    assertThat(watches.loop().running()).isTrue();
    watch.close();
    await().until(() -> !watches.loop().running());
  }

  @Test
  void withEnforcedRightsAWatchSeesWhatItsUserMayRead() throws Exception {
    Optional<User> other = users.find("nobody");
    assumeTrue(users.canSwitch() && other.isPresent(), "needs root and an account called nobody");
    User nobody = other.orElseThrow();
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    Path secret = Files.createDirectory(directory.resolve("secret"));
    Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rwx------"));
    try (FileWork enforcing = new FileWork(users, true)) {
      Watches watches = new Watches(WatchSettings.DEFAULT, enforcing, _ -> null, new Counters());
      made.add(watches);
      Watchers watchers = new Watchers(watches);
      assertThatThrownBy(() -> create(watchers, secret, nobody))
          .hasMessageContaining("permission denied");
      String id = create(watchers, directory, nobody);
      Files.createFile(secret.resolve("hidden"));
      Files.createDirectories(directory.resolve("open/below"));
      Files.createFile(directory.resolve("open/below/f"));
      List<String> told = new ArrayList<>();
      await()
          .untilAsserted(() -> {
            told.addAll(poll(watchers, id));
            assertThat(told).contains("CREATE open/below/f");
          });
      assertThat(told).noneMatch(each -> each.contains("hidden"));
      watchers.remove(id);
      await().until(() -> !watches.loop().running());
    }
  }

  @Test
  void badPathsSayWhatIsWrong() throws Exception {
    Watchers watchers = new Watchers(watches(1 << 20, 4, Duration.ofHours(1)));
    Path file = Files.createFile(directory.resolve("f"));
    assertThatThrownBy(() -> create(watchers, directory.resolve("missing")))
        .hasMessageContaining("path " + directory.resolve("missing") + " not found");
    assertThatThrownBy(() -> create(watchers, file))
        .hasMessageContaining("path " + file + " not a directory");
    assertThatThrownBy(() -> create(watchers, file.resolve("below")))
        .hasMessageContaining("error statting path");
  }

  private String create(Watchers watchers, Path path) throws Exception {
    return create(watchers, path, users.self());
  }

  private static String create(Watchers watchers, Path path, User user) throws Exception {
    WatchRequest request = new WatchRequest(path.toString(), true, false, false, user);
    return answer(answer -> watchers.create(request, answer));
  }
}

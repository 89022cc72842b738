package dev.sandpiper.agent.filesystem.watch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.filesystem.watch.WatchFailure.Kind;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// Watches for callers that come back for their events: each has an id, and is removed by its caller or when nobody has
/// asked for `--watcher-expiry`.
///
/// | what happened | the next question | the one after |
/// |---|---|---|
/// | nothing special | the events since the last one | the same |
/// | events were lost | a failure that says so; the watch begins anew with this answer | the events from before the loss and those since the failure |
/// | the watch is over | the events up to there | always the failure that says why |
/// | the directory was removed | the events up to its REMOVE | no events |
///
/// Thread-safe.
public final class Watchers {
  private static final String ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
  private static final int ID_LENGTH = 20;

  private final Watches watches;
  private final WatchSettings settings;
  private final LongSupplier nanoTime;
  private final Object lock = new Object();

  @GuardedBy("lock")
  private final Map<String, Watcher> byId = new HashMap<>();

  @GuardedBy("lock")
  private int beginning;

  @GuardedBy("lock")
  private WatchLoop.@Nullable Timer expiry;

  /// One caller's watch. Fields are guarded by `lock`.
  private static final class Watcher {
    final WatchRequest request;
    DirectoryWatch watch;
    List<WatchEvent> kept = List.of();
    long askedAt;
    boolean restarting;

    Watcher(WatchRequest request, DirectoryWatch watch, long now) {
      this.request = request;
      this.watch = watch;
      askedAt = now;
    }
  }

  /// An answer, given once, on any thread.
  public interface Answer<T> {
    void is(T result);

    void failed(WatchFailure failure);
  }

  public Watchers(Watches watches) {
    this(watches, System::nanoTime);
  }

  Watchers(Watches watches, LongSupplier nanoTime) {
    this.watches = watches;
    this.settings = watches.settings();
    this.nanoTime = nanoTime;
  }

  /// Begins a watch that is kept for its caller, and answers with its id, `w` and 20 letters and digits.
  public void create(WatchRequest request, Answer<String> answer) {
    WatchFailure refusal = reserve();
    if (refusal != null) {
      answer.failed(refusal);
      return;
    }
    watches.open(
        request,
        new Watches.Begun() {
          @Override
          public void begun(DirectoryWatch watch) {
            answer.is(keep(request, watch));
          }

          @Override
          public void failed(WatchFailure failure) {
            synchronized (lock) {
              beginning--;
            }
            answer.failed(failure);
          }
        });
  }

  private @Nullable WatchFailure reserve() {
    synchronized (lock) {
      if (byId.size() + beginning >= settings.watchers()) {
        return new WatchFailure(
            Kind.TOO_MANY_WATCHERS,
            "error creating watcher: there are "
                + byId.size()
                + " already, the limit of --watchers; remove those that are no longer needed");
      }
      beginning++;
      return null;
    }
  }

  private String keep(WatchRequest request, DirectoryWatch watch) {
    String id = newId();
    synchronized (lock) {
      beginning--;
      byId.put(id, new Watcher(request, watch, nanoTime.getAsLong()));
      if (expiry == null) {
        expiry = watches.loop().after(settings.expiry().toNanos(), this::expire);
      }
    }
    return id;
  }

  private static String newId() {
    SecureRandom random = new SecureRandom();
    StringBuilder id = new StringBuilder("w");
    for (int i = 0; i < ID_LENGTH; i++) {
      id.append(ALPHABET.charAt(random.nextInt(ALPHABET.length())));
    }
    return id.toString();
  }

  /// Answers with what happened since the last question, as the table above says.
  public void events(String id, Answer<List<WatchEvent>> answer) {
    Watcher watcher;
    List<WatchEvent> events = List.of();
    WatchFailure failure;
    synchronized (lock) {
      watcher = byId.get(id);
      if (watcher == null) {
        failure = unknown(id);
      } else {
        watcher.askedAt = nanoTime.getAsLong();
        failure = watcher.restarting ? null : watcher.watch.failure();
        boolean lost = failure != null && failure.kind() == Kind.LOST;
        if (lost) {
          watcher.kept = take(watcher);
          watcher.restarting = true;
        } else if (!watcher.restarting) {
          events = take(watcher);
          watcher.kept = List.of();
          failure = events.isEmpty() ? failure : null;
        }
      }
    }
    if (failure == null) {
      answer.is(events);
    } else if (watcher != null && failure.kind() == Kind.LOST) {
      restart(id, watcher, failure, answer);
    } else if (watcher != null) {
      answer.failed(
          new WatchFailure(
              failure.kind(),
              failure.getMessage() + "; this watcher is over: remove it and create another"));
    } else {
      answer.failed(failure);
    }
  }

  private static List<WatchEvent> take(Watcher watcher) {
    List<WatchEvent> events = new ArrayList<>(watcher.kept);
    for (WatchEvent event = watcher.watch.next(); event != null; event = watcher.watch.next()) {
      events.add(event);
    }
    return events;
  }

  private void restart(
      String id, Watcher watcher, WatchFailure failure, Answer<List<WatchEvent>> answer) {
    watches.open(
        watcher.request,
        new Watches.Begun() {
          @Override
          public void begun(DirectoryWatch watch) {
            int kept = replace(id, watcher, watch);
            answer.failed(
                new WatchFailure(
                    Kind.LOST,
                    failure.getMessage()
                        + "; the watch has begun anew with this answer: the next one gives the "
                        + kept
                        + " events from before the loss and what happens from now on"));
          }

          @Override
          public void failed(WatchFailure again) {
            DirectoryWatch dead = watches.newWatch();
            dead.fail(again);
            replace(id, watcher, dead);
            answer.failed(
                new WatchFailure(
                    Kind.LOST,
                    failure.getMessage()
                        + "; the watch could not begin anew: "
                        + again.getMessage()));
          }
        });
  }

  private int replace(String id, Watcher watcher, DirectoryWatch watch) {
    DirectoryWatch useless;
    int kept;
    synchronized (lock) {
      boolean wanted = byId.get(id) == watcher;
      useless = wanted ? watcher.watch : watch;
      watcher.watch = wanted ? watch : watcher.watch;
      watcher.restarting = false;
      kept = watcher.kept.size();
    }
    useless.close();
    return kept;
  }

  /// Ends a watch.
  public void remove(String id) throws WatchFailure {
    Watcher removed;
    synchronized (lock) {
      removed = byId.remove(id);
      stopTiming();
    }
    if (removed == null) {
      throw unknown(id);
    }
    removed.watch.close();
  }

  private WatchFailure unknown(String id) {
    return new WatchFailure(
        Kind.NO_SUCH_WATCHER,
        "watcher with id "
            + id
            + " not found; watchers that nobody asks for "
            + settings.expiry()
            + " are removed (--watcher-expiry)");
  }

  private void expire() {
    List<DirectoryWatch> expired = new ArrayList<>();
    synchronized (lock) {
      long now = nanoTime.getAsLong();
      long limit = settings.expiry().toNanos();
      long next = limit;
      for (var each = byId.values().iterator(); each.hasNext(); ) {
        Watcher watcher = each.next();
        long left = watcher.askedAt + limit - now;
        if (left <= 0) {
          each.remove();
          expired.add(watcher.watch);
        } else {
          next = Math.min(next, left);
        }
      }
      expiry = byId.isEmpty() ? null : watches.loop().after(next, this::expire);
    }
    expired.forEach(DirectoryWatch::close);
  }

  @GuardedBy("lock")
  private void stopTiming() {
    if (byId.isEmpty() && expiry != null) {
      watches.loop().cancel(expiry);
      expiry = null;
    }
  }
}

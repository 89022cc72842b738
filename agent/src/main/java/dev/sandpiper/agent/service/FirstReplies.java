package dev.sandpiper.agent.service;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Replies by the callers' keys, so that a call that is repeated because its reply was lost has one effect and gets that reply.
/// Bound: the newest entries; a repeat that comes after that many others is a new call. Thread-safe.
final class FirstReplies<A> {
  private static final int MOST = 1_000;

  private static final class Entry<A> {
    final Object request;
    final List<Reply<A>> waiting = new ArrayList<>(0);
    @Nullable Status failure;
    @Nullable A message;

    Entry(Object request) {
      this.request = request;
    }
  }

  @GuardedBy("this")
  private final Map<String, Entry<A>> entries = new LinkedHashMap<>();

  /// Whether the caller is the first with this key, who is to act and then tell with {@link #done}. Everybody else is
  /// answered from here.
  ///
  /// @param request what has to be equal in a repeat
  boolean claim(String key, Object request, Reply<A> reply) {
    Entry<A> entry;
    synchronized (this) {
      entry = entries.get(key);
      if (entry == null) {
        entries.put(key, new Entry<>(request));
        if (entries.size() > MOST) {
          entries.remove(entries.keySet().iterator().next());
        }
        return true;
      }
      if (entry.request.equals(request) && entry.message == null && entry.failure == null) {
        entry.waiting.add(reply);
        return false;
      }
    }
    if (entry.request.equals(request)) {
      answer(reply, entry.message, entry.failure);
    } else {
      reply.fail(
          Status.ALREADY_EXISTS.withDescription(
              "key '" + key + "' belongs to another call, which asked for something else"));
    }
    return false;
  }

  /// The first caller's outcome: a message or a failure.
  void done(String key, Reply<A> first, @Nullable A message, @Nullable Status failure) {
    List<Reply<A>> waiting = List.of();
    synchronized (this) {
      Entry<A> entry = entries.get(key);
      if (entry != null) {
        entry.message = message;
        entry.failure = failure;
        waiting = List.copyOf(entry.waiting);
        entry.waiting.clear();
      }
    }
    answer(first, message, failure);
    waiting.forEach(reply -> answer(reply, message, failure));
  }

  private static <A> void answer(Reply<A> reply, @Nullable A message, @Nullable Status failure) {
    if (message != null) {
      reply.ok(message);
    } else {
      reply.fail(failure == null ? Status.INTERNAL : failure);
    }
  }
}

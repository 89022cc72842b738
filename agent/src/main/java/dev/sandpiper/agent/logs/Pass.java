package dev.sandpiper.agent.logs;

import dev.sandpiper.agent.logs.Source.State;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// One way through the range, forwards or backwards: the merge of all sources. Processes wait, sorted by time, until the merge
/// reaches them, so that those long finished cost nothing. One thread at a time, but for [#woken].
final class Pass {
  /// What the merge came to.
  enum Next {
    /// [Pass#head] is the next item.
    ITEM,
    /// The turn's share of work is used up.
    YIELD,
    /// Nothing for now.
    IDLE,
    /// Nothing more.
    END
  }

  private static final int MOST_KNOWN = 4096;

  /// More than are kept, when they are finished.
  private static final int MOST_STARTED = 20_000;

  private final Matching matching;
  private final LogQuery query;
  private final Range range;
  private final boolean backward;
  private final boolean follow;
  private final int cut;
  private final Runnable wake;

  /// Sorted, the next one first.
  private final Deque<LoggedProcess> pending = new ArrayDeque<>();

  private final PriorityQueue<Source> ready;

  /// To be looked at.
  private final Deque<Source> unready = new ArrayDeque<>();

  /// Sources that are open.
  private int sources;

  /// The newest processes, so that one that is met and told of as well is opened once. Bound: [#MOST_KNOWN], the oldest go;
  /// only those that start at this moment can come twice.
  private final Set<String> known = new LinkedHashSet<>();

  private final Map<String, Group> open = new HashMap<>();

  /// Bound: one entry per open group (its flag), and starts of processes.
  private final Queue<Group> woken = new ConcurrentLinkedQueue<>();

  private final Queue<LoggedProcess> started = new ConcurrentLinkedQueue<>();

  /// How many of them wait. Bound: [#MOST_STARTED]; beyond it the reading ends with an error, as its client takes nothing.
  private final AtomicInteger waiting = new AtomicInteger();

  private final @Nullable AgentLines agent;

  Pass(
      LogQuery query,
      Matching matching,
      Range range,
      boolean backward,
      List<LoggedProcess> processes,
      @Nullable AgentLines agent,
      int cut,
      Runnable wake) {
    this.query = query;
    this.matching = matching;
    this.range = range;
    this.backward = backward;
    this.follow = query.follow() && !backward;
    this.cut = cut;
    this.wake = wake;
    this.agent = agent;
    Comparator<Source> order = Comparator.comparing(Source::head);
    this.ready = new PriorityQueue<>(backward ? order.reversed() : order);
    List<LoggedProcess> sorted = new ArrayList<>(processes.size());
    for (LoggedProcess process : processes) {
      if (process.startedMicros() < range.endMicros()
          && process.lastMicros() >= range.lowMicros()) {
        sorted.add(process);
      }
      if (follow) {
        isNew(process);
      }
    }
    if (backward) {
      // Times of their own, as a process may end meanwhile.
      record Last(LoggedProcess process, long micros) {}
      List<Last> lasts = new ArrayList<>(sorted.size());
      sorted.forEach(process -> lasts.add(new Last(process, process.lastMicros())));
      lasts.sort(Comparator.comparingLong(Last::micros).reversed());
      sorted.clear();
      lasts.forEach(last -> sorted.add(last.process()));
    } else {
      sorted.sort(Comparator.comparingLong(LoggedProcess::startedMicros));
    }
    pending.addAll(sorted);
    if (agent != null) {
      sources++;
      queue(agent);
    }
  }

  /// A process has started. Any thread.
  void started(LoggedProcess process) {
    if (waiting.incrementAndGet() <= MOST_STARTED) {
      started.add(process);
    }
    wake.run();
  }

  /// The agent has said something. Any thread.
  void agentSpoke() {
    if (agent != null && !agent.woken.getAndSet(true)) {
      wake.run();
    }
  }

  /// Looks for the next item.
  Next next(Work work) throws LogFailure {
    takeNews();
    while (true) {
      work.sources(sources);
      while (!unready.isEmpty()) {
        Source source = unready.peek();
        State state = source.advance(work);
        if (state == State.YIELD) {
          return Next.YIELD;
        }
        unready.remove();
        source.queued = false;
        switch (state) {
          case READY -> ready.add(source);
          case EMPTY -> {
            if (follow) {
              source.idle();
            } else {
              done(source);
            }
          }
          case DONE, YIELD -> done(source);
        }
      }
      LoggedProcess process = pending.peek();
      if (process != null && (ready.isEmpty() || isReached(process))) {
        pending.remove();
        open(process);
        continue;
      }
      if (!ready.isEmpty()) {
        return Next.ITEM;
      }
      if (follow) {
        open.values().forEach(group -> group.view.close());
        return Next.IDLE;
      }
      return Next.END;
    }
  }

  private boolean isReached(LoggedProcess process) {
    long head = ready.element().head().timeMicros();
    return backward ? process.lastMicros() >= head : process.startedMicros() <= head;
  }

  private void open(LoggedProcess process) {
    Group group = new Group(process);
    group.open(matching, query, range, backward, cut);
    if (group.sources.isEmpty()) {
      return;
    }
    open.put(process.processId(), group);
    if (follow) {
      group.watch(() -> {
        woken.add(group);
        wake.run();
      });
    }
    for (Source source : group.sources) {
      source.group = group;
      sources++;
      queue(source);
    }
  }

  private void queue(Source source) {
    if (!source.queued && !source.hasHead()) {
      source.queued = true;
      unready.add(source);
    }
  }

  private void done(Source source) {
    Group group = source.group;
    sources--;
    if (group == null) {
      source.idle();
    } else {
      group.done(source);
      if (group.sources.isEmpty()) {
        open.remove(group.process.processId());
      }
    }
  }

  private boolean isNew(LoggedProcess process) {
    if (!known.add(process.processId())) {
      return false;
    }
    if (known.size() > MOST_KNOWN) {
      known.remove(known.iterator().next());
    }
    return true;
  }

  private void takeNews() throws LogFailure {
    if (waiting.get() > MOST_STARTED) {
      throw new LogFailure(
          LogFailure.Reason.EXHAUSTED,
          "%d processes have started since this reader took something last"
              .formatted(MOST_STARTED));
    }
    for (LoggedProcess process = started.poll(); process != null; process = started.poll()) {
      waiting.decrementAndGet();
      if (isNew(process) && process.startedMicros() < range.endMicros()) {
        open(process);
      }
    }
    for (Group group = woken.poll(); group != null; group = woken.poll()) {
      group.woken.set(false);
      group.arm();
      for (Source source : group.sources) {
        queue(source);
      }
    }
    if (agent != null && agent.woken.getAndSet(false)) {
      queue(agent);
    }
  }

  /// The place of the next item.
  LogPosition head() {
    return ready.element().head();
  }

  /// The next item.
  LogItem take() {
    Source source = ready.remove();
    LogItem item = source.take();
    queue(source);
    return item;
  }

  /// Passes over the next item. Returns whether it is an entry.
  boolean skip() {
    Source source = ready.remove();
    boolean entry = source.head().rank() != LogPosition.Rank.GAP;
    source.skip();
    queue(source);
    return entry;
  }

  /// Looks at all sources again, whether they were woken or not.
  void lookAgain() {
    for (Group group : open.values()) {
      group.sources.forEach(this::queue);
    }
  }

  void close() {
    if (agent != null) {
      agent.idle();
    }
    open.values().forEach(Group::close);
    open.clear();
    ready.clear();
    unready.clear();
    pending.clear();
  }
}

package dev.sandpiper.agent.logs;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.logs.LogFailure.Reason;
import dev.sandpiper.agent.logs.Pass.Next;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One query under way: turns on the engine's threads, each a few milliseconds long, while somebody asks for a batch.
///
/// What is printed at this moment is *unsettled*: something earlier may still be entered elsewhere, for a millisecond. So a
/// reading that does not follow waits once until all that was there when it began is settled, and looks at nothing newer; a
/// follower waits with every entry until it is. Hence entries leave in their order, and no cursor lies behind an entry that was
/// not told. Exempt is what lies in the future because the clock was set back.
///
/// A tail is two passes: backwards to find where it begins, without keeping what is passed over, then forwards from there.
final class Reading implements LogReading {
  private static final Logger LOG = LoggerFactory.getLogger("logs");

  /// Between an event and its being known: threads that log, or start processes, may be held up a little.
  private static final long SLACK_MICROS = 2_000;

  /// Beyond this no clock reading explains a time.
  private static final long FUTURE_MICROS = 1_000_000;

  private final SandboxLogs logs;
  private final LogQuery query;
  private final Matching matching;
  private final @Nullable List<LoggedProcess> named;

  private @Nullable LogGap forgotten;
  private volatile @Nullable LogPosition position;

  // Of the turns, which follow one another.
  private @Nullable Pass pass;
  private boolean tailDue;
  private long tailLeft;
  private @Nullable LogPosition tailStart;
  private long left;
  private long bound;
  private boolean bounded;
  private boolean lookedAtEnd;
  private @Nullable Runnable unwatchStarts;
  private @Nullable Runnable unwatchAgent;

  @GuardedBy("this")
  private @Nullable Receiver receiver;

  /// A turn is in the queue or under way.
  @GuardedBy("this")
  private boolean running;

  /// Something happened during the turn.
  @GuardedBy("this")
  private boolean again;

  @GuardedBy("this")
  private boolean closed;

  @GuardedBy("this")
  private @Nullable Work work;

  Reading(
      SandboxLogs logs,
      LogQuery query,
      Matching matching,
      @Nullable List<LoggedProcess> named,
      @Nullable LogGap forgotten) {
    this.logs = logs;
    this.query = query;
    this.matching = matching;
    this.named = named;
    this.forgotten = forgotten;
    this.position = query.cursor();
    this.tailLeft = query.tail().orElse(0);
    this.tailDue = query.tail().isPresent();
    this.left = query.limit().orElse(Long.MAX_VALUE);
  }

  @Override
  public void next(Receiver to) {
    synchronized (this) {
      if (closed) {
        return;
      }
      if (receiver != null) {
        throw new IllegalStateException("the answer to the last question is not there yet");
      }
      receiver = to;
    }
    wake();
  }

  @Override
  public Optional<LogPosition> position() {
    return Optional.ofNullable(position);
  }

  /// There may be something to do. Any thread.
  private void wake() {
    synchronized (this) {
      if (closed || receiver == null) {
        return;
      }
      if (running) {
        again = true;
        return;
      }
      running = true;
    }
    if (!logs.turns.run(this::turn)) {
      abandon();
    }
  }

  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      receiver = null;
      if (work != null) {
        work.stopped = true;
      }
      if (running) {
        return; // The turn lets everything go.
      }
    }
    release();
  }

  private void release() {
    Runnable starts = unwatchStarts;
    if (starts != null) {
      starts.run();
    }
    Runnable agent = unwatchAgent;
    if (agent != null) {
      agent.run();
    }
    Pass open = pass;
    if (open != null) {
      open.close();
      pass = null;
    }
    logs.closed(this);
  }

  /// What a turn came to.
  private sealed interface Outcome {
    record Batch(List<LogItem> items) implements Outcome {}

    record Later(long micros) implements Outcome {}

    record Idle() implements Outcome {}

    record Ended(boolean more) implements Outcome {}

    record Failed(LogFailure failure) implements Outcome {}
  }

  private void turn() {
    Work mine = new Work(logs.turns.buffer());
    synchronized (this) {
      again = false;
      work = mine;
      mine.stopped = closed;
    }
    Outcome outcome;
    try {
      outcome = mine.stopped ? new Outcome.Idle() : work(mine);
    } catch (LogFailure failure) {
      outcome = new Outcome.Failed(failure);
    } catch (UncheckedIOException failure) {
      outcome =
          new Outcome.Failed(
              new LogFailure(Reason.UNREADABLE, String.valueOf(failure.getMessage())));
    } catch (RuntimeException | Error failure) {
      LOG.error("a log query failed", failure);
      outcome = new Outcome.Failed(new LogFailure(Reason.UNREADABLE, "internal: " + failure));
    }
    Receiver to;
    boolean wasClosed;
    boolean more = false;
    synchronized (this) {
      work = null;
      wasClosed = closed;
      to = receiver;
      switch (outcome) {
        case Outcome.Batch _ -> {
          receiver = null;
          running = false;
        }
        case Outcome.Ended _, Outcome.Failed _ -> {
          receiver = null;
          running = false;
          closed = true;
        }
        case Outcome.Idle _ -> {
          more = again;
          running = more; // From here on whoever wakes it, when it is not, takes the next turn.
        }
        case Outcome.Later _ -> running = true;
      }
      if (wasClosed) {
        running = false;
      }
    }
    if (wasClosed) {
      release();
      return;
    }
    answer(outcome, more, to);
  }

  private void answer(Outcome outcome, boolean goesOn, @Nullable Receiver to) {
    switch (outcome) {
      case Outcome.Later(long micros) -> {
        boolean queued =
            micros == 0 ? logs.turns.run(this::turn) : logs.turns.runIn(micros, this::turn);
        if (!queued) {
          abandon();
        }
      }
      case Outcome.Idle _ -> {
        if (goesOn && !logs.turns.run(this::turn)) {
          abandon();
        }
      }
      case Outcome.Batch(List<LogItem> items) -> tell(to, receiver -> receiver.batch(items));
      case Outcome.Ended(boolean more) -> {
        release();
        tell(to, receiver -> receiver.end(new End(position(), more)));
      }
      case Outcome.Failed(LogFailure failure) -> {
        release();
        tell(to, receiver -> receiver.failed(failure));
      }
    }
  }

  /// There are no threads any more, and this one has the turn.
  private void abandon() {
    synchronized (this) {
      running = false;
      closed = true;
      receiver = null;
    }
    release();
  }

  private void tell(@Nullable Receiver to, java.util.function.Consumer<Receiver> what) {
    if (to == null) {
      return;
    }
    try {
      what.accept(to);
    } catch (RuntimeException failure) {
      LOG.error("whoever reads logs failed", failure);
      close();
    }
  }

  // --- A turn. ---

  private Outcome work(Work mine) throws LogFailure {
    LogGap first = forgotten;
    if (first != null) {
      forgotten = null;
      return new Outcome.Batch(List.of(first));
    }
    Pass going = pass;
    if (going == null) {
      long wait = unsettled();
      if (wait > 0) {
        return new Outcome.Later(wait);
      }
      going = begin();
    }
    if (tailDue) {
      if (!passBack(going, mine)) {
        return new Outcome.Later(0);
      }
      // Fewer than asked for: all there are, with the gaps before them.
      going = pass(tailLeft == 0 ? range(tailStart, true) : range(query.cursor(), false), false);
      pass = going;
    }
    return forward(going, mine);
  }

  /// How long to wait until all that was there when the reading began is settled; 0 when it is.
  private long unsettled() {
    if (!bounded) {
      bounded = true;
      bound = logs.now();
    }
    long settled = Long.MAX_VALUE;
    for (LoggedProcess process : named == null ? logs.processes.all() : named) {
      if (process.lastMicros() == Long.MAX_VALUE) {
        long last = process.log().lastMicros();
        if (last > bound - 2 * SLACK_MICROS && last <= bound + FUTURE_MICROS) {
          settled = logs.settled.getAsLong();
          break;
        }
      }
    }
    return settled < bound ? Math.clamp(bound - settled, 200, SLACK_MICROS) : 0;
  }

  private Pass begin() {
    Pass first;
    if (tailDue) {
      first = pass(range(query.cursor(), false), true);
    } else if (query.backward()) {
      first = pass(range(null, false), true);
    } else {
      first = pass(range(query.cursor(), false), false);
    }
    pass = first;
    return first;
  }

  private Range range(@Nullable LogPosition from, boolean included) {
    return new Range(
        from,
        included,
        query.backward() ? query.cursor() : null,
        query.startMicros().orElse(Long.MIN_VALUE),
        query.endMicros().orElse(Long.MAX_VALUE));
  }

  private Pass pass(Range whole, boolean backward) {
    boolean follows = query.follow() && !backward;
    Range range = whole;
    List<LoggedProcess> processes = new ArrayList<>();
    AgentLines agent = null;
    // First whoever tells of news, then what there is.
    Pass[] made = new Pass[1];
    if (follows && named == null) {
      unwatchStarts =
          logs.processes.watch(process -> {
            if (SandboxLogs.fits(process, query)) {
              Pass to = made[0];
              if (to != null) {
                to.started(process);
              }
            }
          });
    }
    long last = bound;
    for (LoggedProcess process : named == null ? logs.processes.all() : named) {
      if (SandboxLogs.fits(process, query)) {
        processes.add(process);
        last = Math.max(last, process.log().lastMicros());
        LoggedProcess.Ended ended = process.ended();
        last = ended == null ? last : Math.max(last, ended.micros());
      }
    }
    if (!follows) {
      // Nothing newer than what there was when it began.
      range =
          new Range(
              whole.from(),
              whole.fromIncluded(),
              whole.before(),
              whole.startMicros(),
              Math.min(whole.endMicros(), last + 1));
    }
    if (named == null && matching.wantsAgent()) {
      agent = new AgentLines(logs.agentLog, matching, range, backward, follows);
    }
    Pass pass = new Pass(query, matching, range, backward, processes, agent, logs.cut, this::wake);
    made[0] = pass;
    if (follows && named == null) {
      // Those that started while nobody could be told yet.
      for (LoggedProcess process : logs.processes.all()) {
        if (SandboxLogs.fits(process, query)) {
          pass.started(process);
        }
      }
      if (agent != null) {
        unwatchAgent = logs.agentLog.watch(pass::agentSpoke);
        pass.agentSpoke();
      }
    }
    return pass;
  }

  /// The first pass of a tail. True when it is over, and [#tailStart] known.
  private boolean passBack(Pass back, Work mine) throws LogFailure {
    while (tailLeft > 0) {
      Next next = back.next(mine);
      if (next == Next.YIELD) {
        return false;
      }
      if (next != Next.ITEM) {
        break;
      }
      LogPosition head = back.head();
      if (back.skip()) {
        tailStart = head;
        tailLeft--;
      }
    }
    back.close();
    tailDue = false;
    return true;
  }

  private Outcome forward(Pass going, Work mine) throws LogFailure {
    List<LogItem> items = new ArrayList<>();
    long characters = 0;
    long settled = Long.MIN_VALUE;
    while (items.size() < MOST_ITEMS && characters < MOST_CHARACTERS) {
      if (left == 0) {
        return items.isEmpty() ? new Outcome.Ended(true) : batch(items);
      }
      boolean over = isOver();
      Next next = going.next(mine);
      switch (next) {
        case YIELD -> {
          return items.isEmpty() ? new Outcome.Later(0) : batch(items);
        }
        case END -> {
          return items.isEmpty() ? new Outcome.Ended(false) : batch(items);
        }
        case IDLE -> {
          if (!items.isEmpty()) {
            return batch(items);
          }
          if (!over) {
            return new Outcome.Idle();
          }
          if (lookedAtEnd) {
            return new Outcome.Ended(false);
          }
          lookedAtEnd = true; // The end may be known before anybody is woken.
          going.lookAgain();
        }
        case ITEM -> {
          if (query.follow()) {
            long time = going.head().timeMicros();
            if (time > settled) {
              long now = logs.now();
              settled = settled(now);
              if (time > settled && time < now + FUTURE_MICROS) {
                return items.isEmpty() ? new Outcome.Later(SLACK_MICROS) : batch(items);
              }
            }
          }
          LogItem item = going.take();
          position = item.position();
          if (item instanceof LogEntry entry) {
            characters += entry.message().length();
            left--;
          }
          items.add(item);
        }
      }
    }
    return batch(items);
  }

  private long settled(long now) {
    long settled = Math.min(now, logs.settled.getAsLong());
    return settled == Long.MIN_VALUE ? settled : settled - SLACK_MICROS;
  }

  private static Outcome batch(List<LogItem> items) {
    return new Outcome.Batch(List.copyOf(items));
  }

  /// Whether the processes that a follower names have ended: then all they printed is there.
  private boolean isOver() {
    if (named == null) {
      return false;
    }
    for (LoggedProcess process : named) {
      if (process.ended() == null) {
        return false;
      }
    }
    return true;
  }
}

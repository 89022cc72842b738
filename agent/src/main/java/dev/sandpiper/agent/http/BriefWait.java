package dev.sandpiper.agent.http;

import io.netty.channel.SelectStrategy;
import io.netty.util.IntSupplier;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

/// Lets a socket loop whose clients go on at once look for the next request a moment longer before it sleeps.
///
/// Waking a thread on an idle processor takes tens of microseconds, in a virtual machine above all, which is as long as a
/// small call takes. On 2 otherwise quiet processors the median of `Stat` falls from 140 to 92 µs by it, and its CPU time
/// rises from 86 to 98 µs.
///
/// What it may cost is bounded. It begins only when a request has just been answered (during a large upload it took time from
/// the thread that writes: 1.1 in place of 0.9 CPU seconds a GiB), and the last turn, waiting and working, was shorter than
/// [#SHORT_NANOS]; it gives way to every other thread; it pauses when one took its place for longer than a client needs, as then
/// the processor is not idle, and after [#FAILURES] times for nothing: so at most 2 % of a processor in vain. Belongs to one loop.
final class BriefWait implements SelectStrategy {
  /// Longer than a client on the same machine takes between an answer and its next request, waking included.
  static final long AWAKE_NANOS = 100_000;

  static final long SHORT_NANOS = 300_000;

  /// One look takes about 1 µs. The client itself may run here meanwhile, where the kernel has woken it on this processor: with
  /// 20 µs nearly every look ended in a pause.
  static final long OTHERS_RAN_NANOS = 150_000;

  static final long PAUSE_NANOS = 15_000_000;
  static final int FAILURES = 3;

  private static final ThreadLocal<BriefWait> MINE = new ThreadLocal<>();

  private final BooleanSupplier hasTasks;
  private final LongSupplier nanos;
  private final Runnable giveWay;
  private boolean known;
  private boolean answered;
  private boolean lively;
  private boolean slept;
  private long waitBegan;
  private long pausedUntil;
  private int failures;

  /// @param hasTasks whether something was handed to the loop; nobody wakes a loop that does not sleep
  BriefWait(BooleanSupplier hasTasks) {
    this(hasTasks, System::nanoTime, BriefWait::letOthersRun);
  }

  BriefWait(BooleanSupplier hasTasks, LongSupplier nanos, Runnable giveWay) {
    this.hasTasks = hasTasks;
    this.nanos = nanos;
    this.giveWay = giveWay;
    this.pausedUntil = nanos.getAsLong();
  }

  /// A request was answered on this thread. For any thread, though it means something to socket loops only.
  static void requestAnswered() {
    BriefWait mine = MINE.get();
    if (mine != null) {
      mine.expectRequest();
    }
  }

  /// The next request may come at once.
  void expectRequest() {
    answered = true;
  }

  @SuppressWarnings("ThreadPriorityCheck") // only speed depends on what the scheduler does
  private static void letOthersRun() {
    Thread.yield();
  }

  @Override
  public int calculateStrategy(IntSupplier ready, boolean mayNotWait) throws Exception {
    if (mayNotWait) {
      return ready.get();
    }
    if (!known) {
      known = true;
      MINE.set(this);
    }
    long now = nanos.getAsLong();
    if (slept) {
      slept = false;
      lively = now - waitBegan < SHORT_NANOS;
    }
    boolean expecting = answered;
    answered = false;
    if (expecting && lively && now - pausedUntil >= 0) {
      int found = look(ready, now);
      if (found >= 0) {
        return found;
      }
    }
    slept = true;
    waitBegan = now;
    return SelectStrategy.SELECT;
  }

  /// How many sockets are ready, 0 if there are only tasks; -1 where nothing came.
  private int look(IntSupplier ready, long began) throws Exception {
    long last = began;
    while (true) {
      int found = ready.get();
      if (found > 0 || hasTasks.getAsBoolean()) {
        failures = 0;
        return found;
      }
      giveWay.run();
      long now = nanos.getAsLong();
      boolean othersRan = now - last > OTHERS_RAN_NANOS;
      last = now;
      if (othersRan || now - began >= AWAKE_NANOS) {
        failures++;
        if (othersRan || failures == FAILURES) {
          failures = 0;
          pausedUntil = now + PAUSE_NANOS;
        }
        return -1;
      }
    }
  }
}

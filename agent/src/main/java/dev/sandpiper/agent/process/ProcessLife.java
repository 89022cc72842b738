package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Child;
import dev.sandpiper.agent.launch.Exit;
import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.FdWatch;
import dev.sandpiper.agent.output.OutputLog;
import dev.sandpiper.agent.output.PipeLoop;
import dev.sandpiper.agent.output.StreamName;
import java.time.Duration;
import java.time.InstantSource;
import org.jspecify.annotations.Nullable;

/// What happens to one live process, from its start, or from its adoption, to the moment when nothing of it can come any
/// more. Lives on the pipe loop.
///
/// The pidfd becomes readable → the wait status is peeked at, the leader stays a zombie so that its group id cannot be
/// reused → what is readable is drained → every stream closed, or the drain limit elapsed → the leader is reaped, and the
/// end is told. What a background child prints later still goes into the log, until the last holder has closed.
final class ProcessLife {
  private static final int SIGKILL = 9;
  private static final Duration LOOK_AGAIN = Duration.ofMillis(20);

  /// Establishes the end for everybody else: journal first, then whoever asks.
  interface Ends {
    /// Called once, on the pipe loop.
    void ended(ManagedProcess process, ProcessEnd end);
  }

  private final ManagedProcess process;
  private final Child child;
  private final PipeLoop loop;
  private final InstantSource clock;
  private final Duration drain;
  private final Ends ends;
  private @Nullable FdWatch exitWatch;
  private @Nullable Cancellable timeLimit;
  private @Nullable Cancellable drainLimit;
  private @Nullable Exit exit;

  ProcessLife(
      ManagedProcess process,
      Child child,
      PipeLoop loop,
      InstantSource clock,
      Duration drain,
      Ends ends) {
    this.process = process;
    this.child = child;
    this.loop = loop;
    this.clock = clock;
    this.drain = drain;
    this.ends = ends;
  }

  void begin() {
    process.log().onDrained(this::drained);
    exitWatch = loop.watch(child.pidfd(), this::exitReadable);
    process
        .timeLimit()
        .ifPresent(limit -> {
          Duration left = limit.minus(Duration.between(process.startedAt(), clock.instant()));
          timeLimit =
              loop.schedule(this::timeLimitElapsed, left.isNegative() ? Duration.ZERO : left);
        });
  }

  private void timeLimitElapsed() {
    if (process.state() != ManagedProcess.State.ENDED) {
      process.signal(SIGKILL, Scope.GROUP, EndCause.TIME_LIMIT);
    }
  }

  private void exitReadable() {
    if (exit != null) {
      return;
    }
    Exit peeked = child.peekExit();
    if (peeked == null) {
      lookAgain();
      return;
    }
    exited(peeked);
  }

  private void exited(Exit peeked) {
    exit = peeked;
    if (exitWatch != null) {
      exitWatch.close();
    }
    process.exited();
    process.log().drainNow();
    if (process.log().drained()) {
      end();
    } else if (process.state() == ManagedProcess.State.EXITED) {
      drainLimit = loop.schedule(this::end, drain);
    }
  }

  /// It has exited, but its status is not known yet: another process has to collect it.
  private void lookAgain() {
    FdWatch watch = exitWatch;
    if (watch != null) {
      watch.pause();
      loop.schedule(watch::resume, LOOK_AGAIN);
    }
  }

  private void drained() {
    if (exit == null) {
      // The kernel closes what a process has open right before it can be waited for: often it can
      // by now, a turn earlier.
      Exit peeked = child.peekExit();
      if (peeked != null) {
        exited(peeked);
      }
    } else if (process.state() == ManagedProcess.State.EXITED) {
      end();
    } else if (process.state() == ManagedProcess.State.ENDED) {
      release();
    }
  }

  private void end() {
    if (process.state() != ManagedProcess.State.EXITED) {
      return; // drained and the drain limit came in the same turn
    }
    cancel(drainLimit);
    cancel(timeLimit);
    OutputLog log = process.log();
    if (!log.drained()) {
      log.drainNow();
    }
    Exit how = child.reap();
    ends.ended(
        process,
        new ProcessEnd(
            how,
            causeOf(how),
            clock.instant(),
            bytes(log, StreamName.STDOUT),
            bytes(log, StreamName.STDERR),
            bytes(log, StreamName.PTY),
            child.usage()));
    if (log.drained()) {
      release();
    }
  }

  private EndCause causeOf(Exit how) {
    return switch (how) {
      case Exit.Exited _ -> EndCause.EXIT;
      case Exit.Signaled(int signal, boolean _) -> process.causeOf(signal);
      case Exit.Lost _ -> EndCause.LOST;
    };
  }

  /// Ended and drained: nothing more can come.
  private void release() {
    process.log().finish();
    child.close();
  }

  private static void cancel(@Nullable Cancellable timer) {
    if (timer != null) {
      timer.cancel();
    }
  }

  private static long bytes(OutputLog log, StreamName stream) {
    return log.streams().contains(stream) ? log.endOffset(stream) : 0;
  }
}

package dev.sandpiper.agent.process;

import dev.sandpiper.agent.launch.Scope;
import dev.sandpiper.agent.output.Cancellable;
import dev.sandpiper.agent.output.PipeLoop;
import dev.sandpiper.agent.posix.Errno;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One stop for a caller: a signal, grace, SIGKILL, and the end. Nobody is told that the process is gone before it is. Lives on
/// the pipe loop.
final class Stopping {
  private static final int SIGKILL = 9;

  private final ManagedProcess process;
  private final Scope scope;
  private final PipeLoop loop;
  private final Consumer<StopOutcome> callback;
  private @Nullable Cancellable end;
  private @Nullable Cancellable grace;
  private boolean killed;
  private boolean told;

  Stopping(ManagedProcess process, Scope scope, PipeLoop loop, Consumer<StopOutcome> callback) {
    this.process = process;
    this.scope = scope;
    this.loop = loop;
    this.callback = callback;
  }

  /// Any thread.
  void begin(int signal, Duration patience) {
    loop.execute(() -> {
      end = process.whenEnded(() -> tell(Optional.empty()));
      if (told) {
        return;
      }
      if (patience.isZero()) {
        kill();
      } else if (send(signal)) {
        grace = loop.schedule(this::kill, patience);
      }
    });
  }

  private void kill() {
    killed = !told && send(SIGKILL);
  }

  /// Whether there is an end to wait for.
  private boolean send(int signal) {
    int result = process.signal(signal, scope, EndCause.SIGNAL);
    if (result < 0 && result != -Errno.ESRCH) { // ESRCH: it is ending at this moment
      tell(Optional.of(Errno.message(-result)));
      return false;
    }
    return true;
  }

  private void tell(Optional<String> failure) {
    if (told) {
      return;
    }
    told = true;
    cancel(grace);
    cancel(end);
    callback.accept(new StopOutcome(killed, failure));
  }

  private static void cancel(@Nullable Cancellable task) {
    if (task != null) {
      task.cancel();
    }
  }
}

package dev.sandpiper.agent.output;

/// Somebody who is told when a log has changed, and reads it in ways of its own. Any thread.
public final class LogWatch implements Readers.Waiting, AutoCloseable {
  private final OutputLog log;
  private final Runnable wake;

  /// Guarded by the log's monitor.
  private boolean armed;

  LogWatch(OutputLog log, Runnable wake) {
    this.log = log;
    this.wake = wake;
  }

  /// From now on the next change wakes, once. To be called before looking at the log: then no change goes by unseen.
  public void arm() {
    synchronized (log) {
      armed = true;
    }
  }

  @Override
  public boolean disarm() {
    boolean was = armed;
    armed = false;
    return was;
  }

  @Override
  public void wake() {
    wake.run();
  }

  /// Wakes nobody any more, but for a call that is under way.
  @Override
  public void close() {
    log.remove(this);
  }
}

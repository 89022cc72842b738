package dev.sandpiper.agent.posix;

/// One event of {@link Inotify}.
///
/// @param watch the watch it belongs to; -1 for `IN_Q_OVERFLOW`
/// @param cookie the same in the two events of one rename, else zero
/// @param name in the form of {@link FileNames}; empty for the watched directory itself
/// @param bytes what it took in the kernel's queue
public record InotifyEvent(int watch, int mask, int cookie, String name, int bytes) {
  public boolean has(int bits) {
    return (mask & bits) != 0;
  }
}

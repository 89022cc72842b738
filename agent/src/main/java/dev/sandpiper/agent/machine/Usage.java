package dev.sandpiper.agent.machine;

/// What the sandbox may use and uses, at one moment. Memory and disk in bytes.
///
/// @param processors whose time it may use; with a fraction where a quota says so
/// @param cpuSeconds processors' time used so far; a count that only grows while the limits stay as they are
/// @param memoryTotal the smaller of the machine's memory and the limit
/// @param memoryUsed without what the kernel gives back when memory gets short
/// @param memoryCache the page cache, and what else is kept for files
/// @param diskTotal of `/`
/// @param diskUsed of `/`: what is not there for an ordinary user
public record Usage(
    double processors,
    double cpuSeconds,
    long memoryTotal,
    long memoryUsed,
    long memoryCache,
    long diskTotal,
    long diskUsed) {

  /// Whole processors: a fraction of one counts as one.
  public int processorCount() {
    return (int) Math.ceil(processors);
  }
}

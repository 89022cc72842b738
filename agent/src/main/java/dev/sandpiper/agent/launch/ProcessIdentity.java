package dev.sandpiper.agent.launch;

/// What names a process for good: a pid alone is reused by the kernel.
///
/// @param startTicks field 22 of `/proc/PID/stat` (proc_pid_stat(5)): clock ticks after boot; 0 where it was not readable
/// @param bootId `/proc/sys/kernel/random/boot_id`; empty where it was not readable
public record ProcessIdentity(int pid, long startTicks, String bootId) {
  /// Of the running kernel; empty where it was not readable.
  public static String thisBoot() {
    return ProcStat.bootId();
  }

  /// Whether it can name a process of the running kernel: after a reboot it cannot.
  public boolean isOfThisBoot() {
    return !bootId.isEmpty() && bootId.equals(ProcStat.bootId());
  }
}

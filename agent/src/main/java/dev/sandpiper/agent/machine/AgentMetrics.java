package dev.sandpiper.agent.machine;

import dev.sandpiper.agent.telemetry.Metrics;
import dev.sandpiper.agent.telemetry.MetricsText;
import java.io.File;
import java.time.InstantSource;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/// What the agent itself takes, from `/proc/self`. A number that the kernel does not tell is left out.
///
/// Without what `java.management` knows (collections, memory pools): that module alone would make the runtime larger by
/// more than these numbers are worth. One thread.
public final class AgentMetrics {
  private static final double TICKS_A_SECOND = 100; // USER_HZ

  private final KernelFiles files = new KernelFiles("");
  private final Metrics metrics;
  private final InstantSource clock;
  private @Nullable Double startupSeconds;

  public AgentMetrics(Metrics metrics, InstantSource clock) {
    this.metrics = metrics;
    this.clock = clock;
  }

  public void write(MetricsText text) {
    text.gauge("sandpiper_build_info", "1, with the version of the agent.")
        .sample(1, "version", metrics.version());
    String stat = files.find("/proc/self/stat").orElse("");
    times(stat.substring(stat.lastIndexOf(')') + 1).split(" ", -1), text);
    String status = files.find("/proc/self/status").orElse("");
    text.gauge("process_resident_memory_bytes", "Memory of the agent that is in use.");
    kib(text, Fields.find(status, "VmRSS:"));
    text.gauge("process_virtual_memory_bytes", "Addresses that the agent has reserved.");
    kib(text, Fields.find(status, "VmSize:"));
    text.gauge("process_open_fds", "Descriptors that the agent has open.");
    String[] open = new File("/proc/self/fd").list();
    if (open != null) {
      text.sample(open.length - 1); // without the one that lists them
    }
    text.gauge("process_max_fds", "Descriptors that the agent may have open.");
    sample(text, Fields.find(files.find("/proc/self/limits").orElse(""), "Max open files"));
    text.gauge("sandpiper_threads", "Threads of the agent.");
    sample(text, Fields.find(status, "Threads:"));
    Runtime runtime = Runtime.getRuntime();
    text.gauge("jvm_memory_used_bytes", "Memory of the Java heap that holds objects.")
        .sample(runtime.totalMemory() - runtime.freeMemory(), "area", "heap");
    text.gauge("jvm_memory_committed_bytes", "Memory that the Java heap takes.")
        .sample(runtime.totalMemory(), "area", "heap");
    text.gauge("jvm_memory_max_bytes", "Memory that the Java heap may take.")
        .sample(runtime.maxMemory(), "area", "heap");
  }

  /// @param stat the fields of `/proc/self/stat` behind the name; the first is empty, the second field 3 of
  ///     proc_pid_stat(5)
  private void times(String[] stat, MetricsText text) {
    boolean told = stat.length > 20;
    text.counter("process_cpu_seconds_total", "Processors' time that the agent has used.");
    if (told) {
      text.sample((ticks(stat, 14) + ticks(stat, 15)) / TICKS_A_SECOND);
    }
    double uptime = uptime();
    double started = told ? ticks(stat, 22) / TICKS_A_SECOND : 0; // since the boot
    text.gauge("process_start_time_seconds", "When the agent was started, in seconds since 1970.");
    if (told && uptime > 0) {
      text.sample(Math.round(clock.millis() / 10.0 - (uptime - started) * 100) / 100.0);
    }
    text.gauge(
        "sandpiper_startup_seconds",
        "From the start of the program until its port was bound, in steps of 10 ms.");
    if (startupSeconds == null && told && uptime > 0) {
      double bound = uptime - (System.nanoTime() - metrics.listeningNanos()) / 1e9;
      startupSeconds = Math.max(0, Math.round((bound - started) * 100) / 100.0);
    }
    if (startupSeconds != null) {
      text.sample(startupSeconds);
    }
  }

  private static long ticks(String[] stat, int field) {
    return Fields.whole(stat[field - 2]).orElse(0);
  }

  private double uptime() {
    String text = files.find("/proc/uptime").orElse("");
    int blank = text.indexOf(' ');
    try {
      return blank < 0 ? 0 : Double.parseDouble(text.substring(0, blank));
    } catch (NumberFormatException _) {
      return 0;
    }
  }

  private static void kib(MetricsText text, OptionalLong kib) {
    if (kib.isPresent()) {
      text.sample(kib.getAsLong() * 1024);
    }
  }

  private static void sample(MetricsText text, OptionalLong value) {
    if (value.isPresent()) {
      text.sample(value.getAsLong());
    }
  }
}

package dev.sandpiper.agent.machine;

import java.io.File;
import java.io.IOException;
import java.util.BitSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.LongSupplier;

/// Reads what the sandbox may use and uses. Thread-safe, one reader at a time.
///
/// Reading asks the kernel about ten times and waits for nothing but the file system of `/`; not for socket loops.
public final class Machine {
  private static final double TICKS_A_SECOND = 100; // USER_HZ, the same on every machine of today

  private final KernelFiles files;
  private final Cgroups cgroups;
  private final File disk;
  private final LongSupplier nanoTime;
  private final CpuWindow window = new CpuWindow();

  public Machine() {
    this("", System::nanoTime);
  }

  /// @param root a directory that stands in for `/`
  Machine(String root, LongSupplier nanoTime) {
    this.files = new KernelFiles(root);
    this.cgroups = new Cgroups(files);
    this.disk = new File(root + "/");
    this.nanoTime = nanoTime;
  }

  /// What is used now.
  ///
  /// @throws IOException naming the file, when `/proc/stat` or `/proc/meminfo` cannot be read, or `/` not be asked
  public synchronized Usage usage() throws IOException {
    BusyTime busy = busyTime();
    double processors = busy.processors;
    double seconds = busy.seconds;
    Optional<Cgroups.Cpu> quota = cgroups.cpu();
    if (quota.isPresent() && quota.get().processors() < processors) {
      processors = quota.get().processors();
      seconds = quota.get().usedSeconds();
    }
    Cgroups.Memory memory = machineMemory();
    Optional<Cgroups.Memory> limit = cgroups.memory();
    if (limit.isPresent() && limit.get().limit() < memory.limit()) {
      memory = limit.get();
    }
    long diskTotal = disk.getTotalSpace();
    if (diskTotal == 0) {
      throw new IOException(disk + ": the file system does not tell its size");
    }
    return new Usage(
        processors,
        seconds,
        memory.limit(),
        memory.used(),
        memory.cache(),
        diskTotal,
        diskTotal - disk.getUsableSpace());
  }

  /// The percentage of the processors' time that was used up to `usage`, since the call before, but over a second at
  /// least; 0 at first.
  public synchronized double cpuPercent(Usage usage) {
    return window.percent(nanoTime.getAsLong(), usage.cpuSeconds(), usage.processors());
  }

  /// How long the processors were busy that this process may run on.
  private record BusyTime(int processors, double seconds) {}

  private BusyTime busyTime() throws IOException {
    BitSet allowed = allowed();
    int count = 0;
    long ticks = 0;
    for (String line : files.text("/proc/stat").split("\n", -1)) {
      // cpu3 user nice system idle iowait irq softirq steal guest guest_nice
      String[] fields = line.split(" ", -1);
      if (!fields[0].startsWith("cpu") || fields[0].length() == 3 || fields.length < 8) {
        continue;
      }
      int number = (int) Fields.number(fields[0], 3).orElse(-1);
      if (number >= 0 && (allowed.isEmpty() || allowed.get(number))) {
        count++;
        ticks += ticks(fields, 1) + ticks(fields, 2) + ticks(fields, 3);
        ticks += ticks(fields, 6) + ticks(fields, 7);
      }
    }
    if (count == 0) {
      throw new IOException("/proc/stat names no processor");
    }
    return new BusyTime(count, ticks / TICKS_A_SECOND);
  }

  private static long ticks(String[] fields, int at) {
    return Fields.whole(fields[at]).orElse(0);
  }

  /// The processors that this process may run on, and some that there are not; empty where it is not told. Control
  /// groups that name processors show here too.
  private BitSet allowed() {
    BitSet allowed = new BitSet();
    String status = files.find("/proc/self/status").orElse("");
    String name = "\nCpus_allowed_list:";
    int at = status.indexOf(name);
    if (at < 0) {
      return allowed;
    }
    int end = status.indexOf('\n', at + 1);
    String list = status.substring(at + name.length(), end < 0 ? status.length() : end).strip();
    for (String range : list.split(",", -1)) {
      int dash = range.indexOf('-');
      OptionalLong first = Fields.whole(range);
      OptionalLong last = dash < 0 ? first : Fields.number(range, dash + 1);
      if (first.isPresent() && last.isPresent() && last.getAsLong() < 1 << 20) {
        allowed.set((int) first.getAsLong(), (int) last.getAsLong() + 1);
      }
    }
    return allowed;
  }

  private Cgroups.Memory machineMemory() throws IOException {
    String text = files.text("/proc/meminfo");
    long total =
        kib(text, "MemTotal:")
            .orElseThrow(() -> new IOException("/proc/meminfo names no MemTotal"));
    long cache = kib(text, "Cached:").orElse(0) + kib(text, "SReclaimable:").orElse(0);
    long available = kib(text, "MemAvailable:").orElse(kib(text, "MemFree:").orElse(0) + cache);
    return new Cgroups.Memory(total, Math.max(0, total - available), cache);
  }

  private static OptionalLong kib(String text, String name) {
    OptionalLong kib = Fields.find(text, name);
    return kib.isEmpty() ? kib : OptionalLong.of(kib.getAsLong() * 1024);
  }
}

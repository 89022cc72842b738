package dev.sandpiper.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A machine of four processors and 1,000 MiB in a directory, in the words of the kernel, and control groups in it.
final class MachineTest {
  private static final long MIB = 1024 * 1024;

  @TempDir Path root;
  private final AtomicLong nanos = new AtomicLong();

  @BeforeEach
  void machine() throws IOException {
    put("/proc/stat", stat(100, 200, 300, 400));
    put(
        "/proc/meminfo",
        """
        MemTotal:        1024000 kB
        MemFree:          100000 kB
        MemAvailable:     614400 kB
        Buffers:            1000 kB
        Cached:           204800 kB
        SwapCached:           77 kB
        SReclaimable:      10240 kB
        """);
    put("/proc/self/status", "Name:\tjava\nCpus_allowed_list:\t0-127\nMems_allowed:\t1\n");
  }

  /// Ticks in user mode of each processor, and ten in each other column.
  private static String stat(long... user) {
    StringBuilder text = new StringBuilder("cpu  1 2 3 4 5 6 7 8 9 10\n");
    for (int i = 0; i < user.length; i++) {
      text.append("cpu" + i + " " + user[i] + " 10 10 5000 700 10 10 90 10 10\n");
    }
    return text.append("intr 99999 1 2 3\nctxt 5\nbtime 1700000000\n").toString();
  }

  private void put(String path, String text) throws IOException {
    Path file = root.resolve(path.substring(1));
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  private Machine machineNow() {
    return new Machine(root.toString(), nanos::get);
  }

  private Usage usage() throws IOException {
    return machineNow().usage();
  }

  private String mount(String type, String mountRoot, String point, String options) {
    return "31 23 0:28 %s %s rw,relatime shared:9 - %s none rw,%s\n"
        .formatted(mountRoot, point, type, options);
  }

  private void unified(String own, String mountRoot) throws IOException {
    put("/proc/self/cgroup", "0::" + own + "\n");
    put(
        "/proc/self/mountinfo",
        "23 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
            + mount("cgroup2", mountRoot, "/sys/fs/cgroup", "nsdelegate"));
  }

  private void memory(String group, String limit, long current, long file) throws IOException {
    put("/sys/fs/cgroup" + group + "/memory.max", limit + "\n");
    put("/sys/fs/cgroup" + group + "/memory.current", current + "\n");
    put(
        "/sys/fs/cgroup" + group + "/memory.stat",
        "anon 5\nfile %d\nkernel 1\nshmem %d\ninactive_anon 1\nactive_anon 1\ninactive_file %d\nactive_file %d\nslab_reclaimable %d\nslab 9\n"
            .formatted(file, file / 4, file / 2, file / 4, MIB));
  }

  @Test
  void withoutControlGroupsTheNumbersAreTheMachines() throws IOException {
    Usage usage = usage();
    assertThat(usage.processors()).isEqualTo(4);
    assertThat(usage.processorCount()).isEqualTo(4);
    assertThat(usage.cpuSeconds())
        .as("user, nice, system, irq, softirq; neither idle nor stolen, nor guests twice")
        .isEqualTo((1000 + 4 * 40) / 100.0);
    assertThat(usage.memoryTotal()).isEqualTo(1000 * MIB);
    assertThat(usage.memoryUsed()).isEqualTo(400 * MIB);
    assertThat(usage.memoryCache()).isEqualTo(210 * MIB);
    assertThat(usage.diskTotal()).isEqualTo(root.toFile().getTotalSpace());
    assertThat(usage.diskUsed()).isBetween(1L, usage.diskTotal());
  }

  @Test
  void onlyProcessorsCountThatItMayRunOn() throws IOException {
    put("/proc/self/status", "Name:\tjava\nCpus_allowed_list:\t0,2-3\n");
    Usage usage = usage();
    assertThat(usage.processorCount()).isEqualTo(3);
    assertThat(usage.cpuSeconds()).isEqualTo((800 + 3 * 40) / 100.0);
  }

  @Test
  void groupsWithoutLimitsChangeNothing() throws IOException {
    unified("/", "/");
    assertThat(usage().memoryTotal()).isEqualTo(1000 * MIB);
    memory("", "max", 1, 1);
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    assertThat(usage().memoryUsed()).isEqualTo(400 * MIB);
    assertThat(usage().processors()).isEqualTo(4);
  }

  @Test
  void aContainerWithItsOwnNameSpaceHasItsLimits() throws IOException {
    unified("/", "/");
    memory("", Long.toString(64 * MIB), 50 * MIB, 8 * MIB);
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/cpu.stat", "usage_usec 2500000\nuser_usec 1\nsystem_usec 1\n");
    Usage usage = usage();
    assertThat(usage.processors()).isEqualTo(1.5);
    assertThat(usage.processorCount()).isEqualTo(2);
    assertThat(usage.cpuSeconds()).isEqualTo(2.5);
    assertThat(usage.memoryTotal()).isEqualTo(64 * MIB);
    assertThat(usage.memoryUsed()).as("without file pages but shared memory").isEqualTo(43 * MIB);
    assertThat(usage.memoryCache()).isEqualTo(9 * MIB);
  }

  @Test
  void theSmallestLimitOnTheWayUpCountsWithItsOwnUse() throws IOException {
    unified("/kube/pod/box", "/");
    memory("/kube/pod/box", Long.toString(512 * MIB), 10 * MIB, 0);
    memory("/kube/pod", Long.toString(256 * MIB), 99 * MIB, 0);
    memory("/kube", Long.toString(900 * MIB), 700 * MIB, 0);
    put("/sys/fs/cgroup/kube/pod/box/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/kube/pod/cpu.max", "200000 100000\n");
    put("/sys/fs/cgroup/kube/pod/cpu.stat", "usage_usec 7000000\n");
    put("/sys/fs/cgroup/kube/cpu.max", "50000 10000\n");
    Usage usage = usage();
    assertThat(usage.memoryTotal()).isEqualTo(256 * MIB);
    assertThat(usage.memoryUsed()).isEqualTo(98 * MIB);
    assertThat(usage.processors()).isEqualTo(2);
    assertThat(usage.cpuSeconds()).isEqualTo(7);
  }

  @Test
  void limitsAboveTheMachineAreNone() throws IOException {
    unified("/", "/");
    memory("", Long.toString(64_000 * MIB), 50 * MIB, 8 * MIB);
    put("/sys/fs/cgroup/cpu.max", "9900000 100000\n");
    put("/sys/fs/cgroup/cpu.stat", "usage_usec 2500000\n");
    assertThat(usage().memoryTotal()).isEqualTo(1000 * MIB);
    assertThat(usage().processors()).isEqualTo(4);
    assertThat(usage().cpuSeconds()).isEqualTo(11.6);
  }

  @Test
  void versionOneIsUnderstoodToo() throws IOException {
    put(
        "/proc/self/cgroup",
        "9:memory:/docker/abc\n8:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n");
    put(
        "/proc/self/mountinfo",
        // A container without a name space sees its own group at the mount.
        mount("cgroup", "/docker/abc", "/sys/fs/cgroup/memory", "memory")
            + mount("cgroup", "/docker/abc", "/sys/fs/cgroup/cpu\\040x", "cpu,cpuacct")
            + mount("cgroup2", "/", "/sys/fs/cgroup/unified", "rw"));
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", 128 * MIB + "\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", 100 * MIB + "\n");
    put(
        "/sys/fs/cgroup/memory/memory.stat",
        "cache 1\nactive_file 2\nhierarchical_memory_limit %d\ntotal_cache %d\ntotal_inactive_file %d\ntotal_active_file %d\n"
            .formatted(128 * MIB, 40 * MIB, 20 * MIB, 10 * MIB));
    put("/sys/fs/cgroup/cpu x/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu x/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu x/cpuacct.usage", "3000000000\n");
    Usage usage = usage();
    assertThat(usage.processors()).isEqualTo(0.5);
    assertThat(usage.processorCount()).isEqualTo(1);
    assertThat(usage.cpuSeconds()).isEqualTo(3);
    assertThat(usage.memoryTotal()).isEqualTo(128 * MIB);
    assertThat(usage.memoryUsed()).isEqualTo(70 * MIB);
    assertThat(usage.memoryCache()).isEqualTo(40 * MIB);
  }

  @Test
  void versionOneWithoutLimits() throws IOException {
    put("/proc/self/cgroup", "4:memory:/\n2:cpuacct:/\n1:cpu:/\n");
    put(
        "/proc/self/mountinfo",
        mount("cgroup", "/", "/sys/fs/cgroup/memory", "memory")
            + mount("cgroup", "/", "/sys/fs/cgroup/cpu", "cpu"));
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assertThat(usage().memoryTotal()).isEqualTo(1000 * MIB);
    assertThat(usage().processors()).isEqualTo(4);
  }

  @Test
  void aLimitAboveTheMountIsSeenInVersionOne() throws IOException {
    put("/proc/self/cgroup", "4:memory:/box\n");
    put("/proc/self/mountinfo", mount("cgroup", "/", "/sys/fs/cgroup/memory", "memory"));
    put("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/box/memory.stat", "hierarchical_memory_limit " + 32 * MIB + "\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", 5 * MIB + "\n");
    assertThat(usage().memoryTotal()).isEqualTo(32 * MIB);
    assertThat(usage().memoryUsed()).isEqualTo(5 * MIB);
  }

  @Test
  void aGroupOutsideOfWhatIsSeenFallsBackToTheMount() throws IOException {
    unified("/../../elsewhere", "/");
    memory("", Long.toString(64 * MIB), 50 * MIB, 0);
    assertThat(usage().memoryTotal()).isEqualTo(64 * MIB);
  }

  @Test
  void halfAnswersAreTakenAsNoLimit() throws IOException {
    unified("/box", "/");
    put("/sys/fs/cgroup/box/memory.max", "\n");
    put("/sys/fs/cgroup/box/cpu.max", "150000\n");
    assertThat(usage().memoryTotal()).isEqualTo(1000 * MIB);
    assertThat(usage().processors()).isEqualTo(4);
    put("/sys/fs/cgroup/box/cpu.max", "150000 100000\n"); // and no cpu.stat
    assertThat(usage().processors()).isEqualTo(4);
  }

  @Test
  void whatMustBeKnownAndIsNotIsNamed() throws IOException {
    Files.delete(root.resolve("proc/meminfo"));
    assertThatThrownBy(this::usage)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("/proc/meminfo");
    Files.delete(root.resolve("proc/stat"));
    assertThatThrownBy(this::usage).hasMessageContaining("/proc/stat");
  }

  @Test
  void readsThisMachine() throws IOException {
    Usage usage = new Machine().usage();
    assertThat(usage.processorCount()).isBetween(1, Runtime.getRuntime().availableProcessors());
    assertThat(usage.memoryTotal()).isGreaterThan(64 * MIB);
    assertThat(usage.memoryUsed()).isBetween(MIB, usage.memoryTotal());
    assertThat(usage.cpuSeconds()).isPositive();
  }

  @Test
  void percentIsOfTheQuota() throws IOException {
    unified("/", "/");
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    put("/sys/fs/cgroup/cpu.stat", "usage_usec 1000000\n");
    Machine machine = machineNow();
    assertThat(machine.cpuPercent(machine.usage())).isZero();
    nanos.addAndGet(2_000_000_000L);
    put("/sys/fs/cgroup/cpu.stat", "usage_usec 1500000\n");
    assertThat(machine.cpuPercent(machine.usage())).isEqualTo(50);
  }
}

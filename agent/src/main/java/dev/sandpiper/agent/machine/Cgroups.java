package dev.sandpiper.agent.machine;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The limits that control groups set, cgroups(7), version 1 and 2.
///
/// A group is limited by itself and by every group above it, so the smallest of all limits counts, and the use is that
/// of the group which sets it: whoever else is in there takes from the same. What can be seen ends at the mount: in a
/// container that has a name space for control groups `/` is its own group.
final class Cgroups {
  /// The memory that a group may have, and what of it is used, in bytes. `used` leaves out what the kernel gives back
  /// when memory gets short, `cache` is the page cache and what else is kept for files.
  record Memory(long limit, long used, long cache) {}

  /// The processors' time that a group may have, in processors, and what it has used.
  record Cpu(double processors, double usedSeconds) {}

  private static final Pattern OCTAL = Pattern.compile("\\\\([0-7]{3})");
  private static final String NONE = ""; // only version 2 has groups without a controller
  private static final String MEMORY = "memory";
  private static final String CPU = "cpu";
  private static final String ACCOUNT = "cpuacct";

  /// A mounted hierarchy: `root` is the group that is seen at `point`. `controllers` is empty for version 2.
  private record Mount(String root, String point, List<String> controllers) {}

  /// From the agent's own group up to the mount, as directories.
  private record Line(boolean unified, List<String> directories) {}

  private final KernelFiles files;
  private @Nullable List<Mount> mounts;

  Cgroups(KernelFiles files) {
    this.files = files;
  }

  /// The agent's own group in the hierarchy of version 2, as a directory; empty where that is not mounted.
  Optional<String> own() {
    Line line = line(NONE);
    return line == null || !line.unified
        ? Optional.empty()
        : Optional.of(line.directories.getFirst());
  }

  /// The smallest limit of memory; empty where there is none.
  Optional<Memory> memory() {
    Line line = line(MEMORY);
    if (line == null) {
      return Optional.empty();
    }
    long smallest = Long.MAX_VALUE;
    String limiting = null;
    for (String directory : line.directories) {
      long limit =
          files
              .find(directory + (line.unified ? "/memory.max" : "/memory.limit_in_bytes"))
              .map(Fields::whole)
              .orElse(OptionalLong.empty())
              .orElse(Long.MAX_VALUE);
      // Of equal ones the upper: it is the one whose room is shared.
      if (limit < Long.MAX_VALUE && limit <= smallest) {
        smallest = limit;
        limiting = directory;
      }
    }
    if (!line.unified) {
      // Version 1 also tells of the groups above the mount.
      long above =
          files
              .find(line.directories.getFirst() + "/memory.stat")
              .map(stat -> Fields.find(stat, "hierarchical_memory_limit "))
              .orElse(OptionalLong.empty())
              .orElse(Long.MAX_VALUE);
      if (above < smallest) {
        smallest = above;
        limiting = line.directories.getLast();
      }
    }
    if (limiting == null) {
      return Optional.empty();
    }
    return Optional.of(
        line.unified ? unifiedMemory(limiting, smallest) : oldMemory(limiting, smallest));
  }

  private Memory unifiedMemory(String directory, long limit) {
    String stat = files.find(directory + "/memory.stat").orElse("");
    long current = number(directory + "/memory.current");
    long slab = Fields.get(stat, "slab_reclaimable ");
    long pages = Fields.get(stat, "active_file ") + Fields.get(stat, "inactive_file ");
    return new Memory(limit, Math.max(0, current - pages - slab), Fields.get(stat, "file ") + slab);
  }

  private Memory oldMemory(String directory, long limit) {
    String stat = files.find(directory + "/memory.stat").orElse("");
    long current = number(directory + "/memory.usage_in_bytes");
    // With the groups below it, where the hierarchy adds up; else what it has itself.
    String below = Fields.find(stat, "total_cache ").isPresent() ? "total_" : "";
    long pages =
        Fields.get(stat, below + "active_file ") + Fields.get(stat, below + "inactive_file ");
    return new Memory(limit, Math.max(0, current - pages), Fields.get(stat, below + "cache "));
  }

  private long number(String path) {
    return files.find(path).map(Fields::whole).orElse(OptionalLong.empty()).orElse(0);
  }

  /// The smallest share of processors' time; empty where there is none, or its use cannot be read.
  Optional<Cpu> cpu() {
    Line line = line(CPU);
    if (line == null) {
      return Optional.empty();
    }
    double smallest = Double.MAX_VALUE;
    String limiting = null;
    for (String directory : line.directories) {
      double share = line.unified ? unifiedShare(directory) : oldShare(directory);
      if (share > 0 && share <= smallest) {
        smallest = share;
        limiting = directory;
      }
    }
    if (limiting == null) {
      return Optional.empty();
    }
    double share = smallest;
    OptionalLong nanos = line.unified ? unifiedNanos(limiting) : oldNanos(limiting);
    return nanos.isEmpty()
        ? Optional.empty()
        : Optional.of(new Cpu(share, nanos.getAsLong() / 1e9));
  }

  /// `cpu.max`: `150000 100000`, or `max 100000`. 0 for no limit.
  private double unifiedShare(String directory) {
    String text = files.find(directory + "/cpu.max").orElse("").strip();
    int blank = text.indexOf(' ');
    OptionalLong quota = Fields.whole(text);
    OptionalLong period = blank < 0 ? OptionalLong.empty() : Fields.number(text, blank);
    return ratio(quota, period);
  }

  /// -1 stands for no limit, and is no number here.
  private double oldShare(String directory) {
    OptionalLong quota =
        files.find(directory + "/cpu.cfs_quota_us").map(Fields::whole).orElse(OptionalLong.empty());
    OptionalLong period =
        files
            .find(directory + "/cpu.cfs_period_us")
            .map(Fields::whole)
            .orElse(OptionalLong.empty());
    return ratio(quota, period);
  }

  private static double ratio(OptionalLong quota, OptionalLong period) {
    return quota.isEmpty() || period.orElse(0) <= 0
        ? 0
        : (double) quota.getAsLong() / period.getAsLong();
  }

  private OptionalLong unifiedNanos(String directory) {
    OptionalLong micros =
        files
            .find(directory + "/cpu.stat")
            .map(stat -> Fields.find(stat, "usage_usec "))
            .orElse(OptionalLong.empty());
    return micros.isEmpty() ? micros : OptionalLong.of(micros.getAsLong() * 1000);
  }

  private OptionalLong oldNanos(String directory) {
    // Most machines mount the two together; where they are apart, the agent's own group is the
    // nearest there is.
    Line account = line(ACCOUNT);
    String own = account == null ? directory : account.directories.getFirst();
    return files
        .find(directory + "/cpuacct.usage")
        .or(() -> files.find(own + "/cpuacct.usage"))
        .map(Fields::whole)
        .orElse(OptionalLong.empty());
  }

  /// Where the groups of a controller are; null where it is not mounted, or nothing can be read.
  private @Nullable Line line(String controller) {
    String own;
    List<Mount> mounted;
    try {
      own = files.text("/proc/self/cgroup");
      mounted = mounts();
    } catch (IOException _) {
      return null; // a kernel without control groups, or one that hides them: nothing limits
    }
    String unified = null;
    for (String entry : own.split("\n", -1)) {
      String[] parts = entry.split(":", 3);
      if (parts.length < 3) {
        continue;
      }
      if (parts[1].isEmpty()) {
        unified = parts[2];
      } else if (List.of(parts[1].split(",", -1)).contains(controller)) {
        for (Mount mount : mounted) {
          if (mount.controllers.contains(controller)) {
            return new Line(false, directories(mount, parts[2]));
          }
        }
      }
    }
    for (Mount mount : mounted) {
      if (unified != null && mount.controllers.isEmpty()) {
        return new Line(true, directories(mount, unified));
      }
    }
    return null;
  }

  private static List<String> directories(Mount mount, String path) {
    String inside = "";
    if (mount.root.equals("/")) {
      inside = path;
    } else if (path.startsWith(mount.root + "/")) {
      inside = path.substring(mount.root.length());
    }
    if (inside.contains("/..")) {
      inside = ""; // moved out of what this name space shows
    }
    List<String> directories = new ArrayList<>();
    String rest = inside.equals("/") ? "" : inside;
    while (!rest.isEmpty()) {
      directories.add(mount.point + rest);
      rest = rest.substring(0, Math.max(0, rest.lastIndexOf('/')));
    }
    directories.add(mount.point);
    return directories;
  }

  /// Read once: the mounts of control groups do not change while a machine runs.
  private List<Mount> mounts() throws IOException {
    List<Mount> known = mounts;
    if (known == null) {
      known = new ArrayList<>();
      for (String entry : files.longText("/proc/self/mountinfo").split("\n", -1)) {
        // ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELDS…] - TYPE SOURCE OPTIONS
        int dash = entry.indexOf(" - ");
        String[] front = entry.split(" ", 6);
        String[] back = dash < 0 ? new String[0] : entry.substring(dash + 3).split(" ", -1);
        if (front.length == 6 && back.length >= 3) {
          String root = unescaped(front[3]);
          String point = unescaped(front[4]);
          if (back[0].equals("cgroup2")) {
            known.add(new Mount(root, point, List.of()));
          } else if (back[0].equals("cgroup")) {
            known.add(new Mount(root, point, List.of(back[2].split(",", -1))));
          }
        }
      }
      mounts = known;
    }
    return known;
  }

  /// Blanks and backslashes are written in octal.
  private static String unescaped(String path) {
    return OCTAL
        .matcher(path)
        .replaceAll(match ->
            Matcher.quoteReplacement(String.valueOf((char) Integer.parseInt(match.group(1), 8))));
  }
}

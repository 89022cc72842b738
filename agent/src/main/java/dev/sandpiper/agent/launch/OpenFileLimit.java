package dev.sandpiper.agent.launch;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Tasks;
import dev.sandpiper.agent.posix.Tasks.Limit;
import java.util.OptionalLong;

/// Gives the agent as many descriptors as it may have, and its children the soft limit that it was started with.
///
/// A child inherits the limit at the moment it is made, so it is lowered around the spawn, for the whole agent: safe as
/// long as the next descriptor that anybody opens lies below it by a margin. Where it does not, the child has to go
/// through a shell that sets it.
final class OpenFileLimit {
  /// Descriptors that no start takes: for connections, segments and the journal.
  static final int KEPT = 32;

  private final long childSoft;
  private final Limit raised;
  private final boolean differs;
  private final int margin;

  @GuardedBy("this")
  private int holders;

  private OpenFileLimit(long childSoft, Limit raised) {
    this.childSoft = childSoft;
    this.raised = raised;
    differs = childSoft != raised.soft();
    margin = (int) Math.min(256, Long.divideUnsigned(childSoft, 4));
  }

  /// Raises the soft limit to the hard one and remembers what it was. The JVM must have left it alone
  /// (`-XX:-MaxFDLimit`), else the old value is not known any more.
  static OpenFileLimit raise() {
    return raise(OptionalLong.empty());
  }

  /// The same for an agent that has taken the place of another.
  ///
  /// @param first the soft limit that the first of them was started with
  static OpenFileLimit raise(OptionalLong first) {
    Limit found = Tasks.limit(0, Tasks.RLIMIT_NOFILE);
    if (found == null) {
      return new OpenFileLimit(0, new Limit(0, 0)); // nothing known, nothing changed
    }
    Limit wanted = new Limit(found.hard(), found.hard());
    boolean changed =
        found.soft() != found.hard() && Tasks.setLimit(0, Tasks.RLIMIT_NOFILE, wanted) == 0;
    return new OpenFileLimit(first.orElse(found.soft()), changed ? wanted : found);
  }

  /// How many descriptors the agent may have; unsigned.
  long agentSoft() {
    return raised.soft();
  }

  long childSoft() {
    return childSoft;
  }

  /// True when the limit can be lowered for a moment, or need not be: asks the kernel for its lowest free descriptor.
  boolean canLower(int anyFd) {
    if (!differs) {
      return true;
    }
    int lowestFree = Posix.fcntl(anyFd, Fcntl.F_DUPFD_CLOEXEC, 0);
    if (lowestFree >= 0) {
      Posix.close(lowestFree);
    }
    return lowestFree >= 0 && Long.compareUnsigned(lowestFree + (long) margin, childSoft) < 0;
  }

  /// Whether a start may take descriptors: false when so many are in use that the last ones are needed to talk to clients,
  /// who may want to end what uses them. The kernel gives out the lowest free number, so this one says how many are taken.
  boolean hasSpare(int anyFd) {
    if (Long.compareUnsigned(raised.soft(), 2L * KEPT) < 0) {
      return true; // too few to keep any; 0 is "not known"
    }
    int lowestFree = Posix.fcntl(anyFd, Fcntl.F_DUPFD_CLOEXEC, 0);
    if (lowestFree >= 0) {
      Posix.close(lowestFree);
    }
    return lowestFree >= 0 && Long.compareUnsigned(lowestFree, raised.soft() - KEPT) < 0;
  }

  /// From here to {@link #restore} children get the old limit. Several threads may be in between at once.
  void lower() {
    if (differs) {
      synchronized (this) {
        if (holders++ == 0) {
          Tasks.setLimit(0, Tasks.RLIMIT_NOFILE, new Limit(childSoft, raised.hard()));
        }
      }
    }
  }

  void restore() {
    if (differs) {
      synchronized (this) {
        if (--holders == 0) {
          Tasks.setLimit(0, Tasks.RLIMIT_NOFILE, raised);
        }
      }
    }
  }
}

package dev.sandpiper.agent.logs;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// One sorted sequence of items that match: a stream of a process, its start, its end, the agent's own lines. The merge takes
/// the head of one after the other. One thread at a time.
abstract class Source {
  /// What there is at its head.
  enum State {
    /// An item.
    READY,
    /// Not known yet: the turn's share of work is used up.
    YIELD,
    /// Nothing now; more may come.
    EMPTY,
    /// Nothing, and never more.
    DONE
  }

  /// The place of the head; null when none is known. While there is one, the source is among those that are ready.
  private @Nullable LogPosition head;

  /// Whose it is; null for the agent's own.
  @Nullable Group group;

  /// It waits to be looked at.
  boolean queued;

  final boolean hasHead() {
    return head != null;
  }

  final LogPosition head() {
    return Objects.requireNonNull(head);
  }

  /// Looks for the head, if there is none yet.
  final State advance(Work work) throws LogFailure {
    return head == null ? find(work) : State.READY;
  }

  /// The head as an item; it is the head no more.
  final LogItem take() {
    LogItem item = make();
    head = null;
    return item;
  }

  /// Passes over the head.
  final void skip() {
    head = null;
  }

  final State found(LogPosition position) {
    head = position;
    return State.READY;
  }

  abstract State find(Work work) throws LogFailure;

  abstract LogItem make();

  /// Gives back what it can get again.
  void idle() {}
}

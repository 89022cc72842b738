package dev.sandpiper.agent.filesystem.watch;

import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// A directory of a watched tree: its place by name, and its watch.
final class Node {
  /// No watch: the directory was not found where it should be, may not be read, or is left out.
  static final int UNWATCHED = -1;

  @Nullable Node parent;
  String name;
  int watch = UNWATCHED;

  // Its children are a list through these.
  @Nullable Node firstChild;
  @Nullable Node next;
  @Nullable Node previous;

  /// The end of the queue just after the watch was added and the directory was listed: what stands before it may have
  /// happened to an earlier directory of the same name.
  long listedAt;

  /// The directory was found and told before the event of its creation, which is to be left out.
  boolean toldAhead;

  /// Where a listing came across it under another name, so that it is known when the event of the rename does not say.
  @Nullable Node foundIn;

  @Nullable String foundAs;

  @Nullable Listing listing;

  /// It is no longer in the tree.
  boolean removed;

  Node(@Nullable Node parent, String name) {
    this.parent = parent;
    this.name = name;
  }

  boolean watched() {
    return watch != UNWATCHED;
  }

  /// What was told of a directory's contents when it was listed, kept until the events that stood in the queue at that
  /// time have passed.
  static final class Listing {
    /// Names the caller knows of.
    private final Set<String> told = new HashSet<>();

    /// Of those, the ones whose creation may still be in the queue.
    private final Set<String> ahead = new HashSet<>();

    private int listed;

    void found(String name) {
      if (told.add(name)) {
        listed++;
      }
      ahead.add(name);
    }

    /// Notes the event of an appearance; true where the listing has told it already.
    boolean appeared(String name) {
      return !told.add(name) && ahead.remove(name);
    }

    /// Notes that something happened to a name; true where the caller has not heard of it.
    boolean unheardOf(String name) {
      return told.add(name);
    }

    void disappeared(String name) {
      told.remove(name);
      ahead.remove(name);
    }

    /// How many names the listing had.
    int listed() {
      return listed;
    }
  }
}

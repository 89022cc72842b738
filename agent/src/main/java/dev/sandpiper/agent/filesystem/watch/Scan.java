package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.filesystem.UploadNames;
import dev.sandpiper.agent.filesystem.watch.Directories.Found;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Looks into the directories that are new to a tree: adds their watches, lists them, and goes on with those it finds.
///
/// One small step at a time, so that a large tree that is moved in does not keep other watches waiting. What is still to
/// be looked into is bounded by the tree's directories, and those by the [Budget].
final class Scan {
  /// What a listing finds.
  interface Teller {
    /// Called for each name, in no order.
    ///
    /// @param content whether it is a regular file that is not empty
    void found(Node directory, String name, boolean content);
  }

  /// Children of one directory that are looked into before it is opened again.
  private static final int AT_ONCE = 64;

  /// Names that are remembered of listings at most, some 10 MB. They are let go when the queue is empty.
  private static final int REMEMBERED = 65_536;

  /// Directories of one parent.
  ///
  /// @param listed whether they were just found by a listing, so that their CREATE is still to be told
  private record Frontier(Node parent, Deque<String> names, boolean listed) {}

  private final Tree tree;
  private final Directories directories;
  private final Budget budget;
  private final EventBatch batch;
  private final Teller teller;
  private final Deque<Frontier> frontiers = new ArrayDeque<>();

  /// Directories with a listing, the earliest first.
  private final Deque<Node> listed = new ArrayDeque<>();

  private int remembered;
  private boolean telling;
  private boolean missed;

  Scan(Tree tree, Directories directories, Budget budget, EventBatch batch, Teller teller) {
    this.tree = tree;
    this.directories = directories;
    this.budget = budget;
    this.batch = batch;
    this.teller = teller;
  }

  /// From now on what is found is told.
  void tell() {
    telling = true;
  }

  boolean done() {
    return frontiers.isEmpty();
  }

  /// Has a directory looked into.
  void look(Node parent, String name) {
    look(parent, name, false);
  }

  private void look(Node parent, String name, boolean listed) {
    Deque<String> names = new ArrayDeque<>();
    names.add(name);
    frontiers.push(new Frontier(parent, names, listed && telling));
  }

  /// Has all looked for again that was not found below a directory: it is called otherwise now.
  void retry(Node from) {
    Tree.each(
        from,
        node -> {
          if (!node.watched() && node.parent != null) {
            look(node.parent, node.name);
          }
        });
  }

  /// Whether a directory was not where it should be since this was last asked.
  boolean missedOne() {
    boolean was = missed;
    missed = false;
    return was;
  }

  /// Takes a step; false where there is nothing to do.
  boolean step() throws WatchFailure {
    Frontier frontier = frontiers.peek();
    if (frontier == null) {
      return false;
    }
    Node parent = frontier.parent;
    int open = parent.watched() ? directories.enter(tree, parent) : -Errno.ENOENT;
    if (open < 0) {
      frontiers.pop();
      missed = true;
      if (!parent.removed) {
        for (String name : frontier.names) {
          if (frontier.listed) {
            teller.found(parent, name, false);
          }
          tree.add(parent, name);
        }
      }
      return true;
    }
    try {
      for (int i = 0; i < AT_ONCE && !frontier.names.isEmpty(); i++) {
        enter(open, parent, frontier.names.remove(), frontier.listed);
      }
    } finally {
      Posix.close(open);
    }
    if (frontier.names.isEmpty()) {
      frontiers.removeFirstOccurrence(frontier);
    }
    return true;
  }

  private void enter(int open, Node parent, String name, boolean listed) throws WatchFailure {
    int[] error = new int[1];
    Found found = directories.find(open, name, error);
    Node holder = found == null ? null : tree.byWatch(found.watch());
    if (listed) {
      if (holder == null) {
        teller.found(parent, name, false);
        if (parent.listing != null) {
          parent.listing.found(name);
        }
      } else if (parent.listing != null) {
        parent.listing.disappeared(
            name); // told when the event of its rename comes, after the old name
      }
    }
    if (found == null) {
      refused(parent, name, error[0]);
      return;
    }
    try {
      Node known = tree.child(parent, name);
      if (holder != null) {
        if (holder != known) { // renamed, or mounted twice
          holder.foundIn = parent;
          holder.foundAs = name;
        }
        return;
      }
      if (known != null) {
        drop(known);
      }
      Node node = tree.add(parent, name);
      watch(node, found.watch());
      list(node, found.fd());
    } finally {
      Posix.close(found.fd());
    }
  }

  private void refused(Node parent, String name, int error) throws WatchFailure {
    switch (-error) {
      case Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP -> {} // gone on; its events will say
      case Errno.ENOSPC, Errno.ENOMEM, Errno.EMFILE, Errno.ENFILE ->
          throw new WatchFailure(
              WatchFailure.Kind.FAILED,
              "error adding path "
                  + directories.absolute(Tree.path(parent, name))
                  + " to watcher: "
                  + KernelLimits.describe(error));
      default -> tree.add(parent, name); // not ours to read: the rest goes on
    }
  }

  /// Notes the watch of a directory.
  void watch(Node node, int watch) throws WatchFailure {
    if (!budget.take()) {
      directories.remove(watch);
      throw new WatchFailure(
          WatchFailure.Kind.FAILED,
          "error adding path "
              + directories.absolute(Tree.path(node, ""))
              + " to watcher: "
              + budget.limit()
              + " directories are watched already, the limit of --watch-directories");
    }
    tree.watched(node, watch);
  }

  /// Tells what is in a directory that has its watch, and goes on with the directories among it.
  void list(Node node, int fd) throws WatchFailure {
    Deque<String> below = new ArrayDeque<>();
    Node.Listing listing = telling ? new Node.Listing() : null;
    directories.list(
        fd,
        telling,
        (name, directory, content) -> {
          if (UploadNames.isTemporary(name)) {
            return;
          }
          if (listing != null) {
            listing.found(name);
          }
          if (directory) {
            below.add(name);
          } else if (telling) {
            teller.found(node, name, content);
          }
        });
    node.listedAt = batch.end();
    if (!below.isEmpty()) {
      frontiers.push(new Frontier(node, below, telling));
    }
    if (listing != null && node.listedAt > batch.position()) {
      remember(node, listing);
    }
  }

  private void remember(Node node, Node.Listing listing) throws WatchFailure {
    node.listing = listing;
    listed.add(node);
    remembered += listing.listed();
    if (remembered > REMEMBERED) {
      throw new WatchFailure(
          WatchFailure.Kind.LOST,
          "watcher error: more than "
              + REMEMBERED
              + " entries were found in new directories while events were waiting; some were lost");
    }
  }

  /// What a directory's listing told, as long as events are coming that happened before it; else null.
  Node.@Nullable Listing listing(Node node) {
    return node.listing;
  }

  /// Forgets the listings that events from a position on are behind of.
  void forget(long position) {
    for (Node node = listed.peek();
        node != null && node.listedAt <= position;
        node = listed.peek()) {
      listed.remove();
      if (node.listing != null) {
        remembered -= node.listing.listed();
        node.listing = null;
      }
    }
  }

  /// Removes a directory with all below it from the tree, and their watches.
  void drop(Node node) {
    List<Node> foundElsewhere = new ArrayList<>();
    tree.remove(
        node,
        gone -> {
          directories.remove(gone.watch);
          budget.give(1);
          if (gone.foundIn != null) {
            foundElsewhere.add(gone);
          }
        });
    for (Node gone : foundElsewhere) {
      if (gone.foundIn != null && gone.foundAs != null && !gone.foundIn.removed) {
        look(
            gone.foundIn,
            gone.foundAs,
            true); // it left the tree with what it was in, and came back
      }
    }
  }

  /// The kernel has removed the watch of a directory.
  void lost(Node node) {
    tree.unwatched(node);
    budget.give(1);
  }

  /// Gives back what the tree holds.
  void close() {
    budget.give(tree.watches());
  }
}

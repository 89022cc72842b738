package dev.sandpiper.agent.filesystem.watch;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The directories of a watched tree, by watch, and by parent and name. Names are those of the event that is being looked
/// at, which may be behind what the file system says now.
final class Tree {
  private record Key(@Nullable Node parent, String name) {}

  final Node root = new Node(null, "");
  private final Map<Integer, Node> byWatch = new HashMap<>();
  private final Map<Key, Node> byName = new HashMap<>();

  @Nullable Node byWatch(int watch) {
    return byWatch.get(watch);
  }

  @Nullable Node child(Node parent, String name) {
    return byName.get(new Key(parent, name));
  }

  /// The directory of that name, made where it is not there.
  Node add(Node parent, String name) {
    Node known = child(parent, name);
    if (known != null) {
      return known;
    }
    Node node = new Node(parent, name);
    byName.put(new Key(parent, name), node);
    link(node, parent);
    return node;
  }

  void watched(Node node, int watch) {
    node.watch = watch;
    byWatch.put(watch, node);
  }

  void unwatched(Node node) {
    byWatch.remove(node.watch);
    node.watch = Node.UNWATCHED;
  }

  int watches() {
    return byWatch.size();
  }

  /// Puts a directory with all below it under another parent and name, which must be free.
  void move(Node node, Node parent, String name) {
    detach(node);
    node.parent = parent;
    node.name = name;
    byName.put(new Key(parent, name), node);
    link(node, parent);
  }

  /// Takes a directory out of its parent; it keeps what is below it.
  void detach(Node node) {
    byName.remove(new Key(node.parent, node.name), node);
    if (node.previous != null) {
      node.previous.next = node.next;
    } else if (node.parent != null && node.parent.firstChild == node) {
      node.parent.firstChild = node.next;
    }
    if (node.next != null) {
      node.next.previous = node.previous;
    }
    node.next = null;
    node.previous = null;
  }

  private static void link(Node node, Node parent) {
    node.next = parent.firstChild;
    if (node.next != null) {
      node.next.previous = node;
    }
    parent.firstChild = node;
  }

  /// Removes a directory and all below it.
  ///
  /// @param watched gets each of them that had a watch, which it still has
  void remove(Node node, Consumer<Node> watched) {
    detach(node);
    each(
        node,
        gone -> {
          gone.removed = true;
          byName.remove(new Key(gone.parent, gone.name), gone);
          if (gone.watched()) {
            watched.accept(gone);
            unwatched(gone);
          }
        });
  }

  /// A directory and all below it, in no order.
  static void each(Node from, Consumer<Node> action) {
    Deque<Node> open = new ArrayDeque<>();
    open.push(from);
    while (!open.isEmpty()) {
      Node node = open.pop();
      for (Node child = node.firstChild; child != null; child = child.next) {
        open.push(child);
      }
      action.accept(node);
    }
  }

  /// True where one is the other or above it.
  static boolean isAtOrAbove(Node upper, Node lower) {
    for (Node node = lower; node != null; node = node.parent) {
      if (node == upper) {
        return true;
      }
    }
    return false;
  }

  /// The path of a name in a directory, relative to the root; of the directory itself where the name is empty.
  static String path(Node directory, String name) {
    if (directory.parent == null) {
      return name;
    }
    StringBuilder path = new StringBuilder(name);
    for (Node node = directory; node.parent != null; node = node.parent) {
      if (!path.isEmpty()) {
        path.insert(0, '/');
      }
      path.insert(0, node.name);
    }
    return path.toString();
  }
}

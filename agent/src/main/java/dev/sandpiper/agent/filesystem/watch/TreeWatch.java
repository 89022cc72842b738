package dev.sandpiper.agent.filesystem.watch;

import dev.sandpiper.agent.filesystem.Entry;
import dev.sandpiper.agent.filesystem.UploadNames;
import dev.sandpiper.agent.filesystem.watch.Directories.Found;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Inotify;
import dev.sandpiper.agent.posix.InotifyEvent;
import dev.sandpiper.agent.posix.InotifyReader;
import dev.sandpiper.agent.posix.Posix;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// One watched directory with what is below it: turns inotify(7)'s events into those of the caller.
///
/// The queue of the kernel is behind the file system, so two times run here: that of the event that is looked at, which
/// the names in the [Tree] are of, and that of the file system, which a look into a directory shows. They meet in three
/// places.
///
/// **A new directory** gets a watch first and is listed then. What the listing finds is told as CREATE, with a WRITE where a
/// file has content, and remembered until all that stood in the queue by then has passed ([Node.Listing]): an event among it
/// that says the same is left out, and one about a name that the listing did not have tells its CREATE first.
///
/// **A directory that has gone on** by the time its event is looked at is not under its name, or another one is. So
/// nothing is believed on account of a path ([Directories]). What was not found is tried again when something above it is
/// renamed; what appears only to go again is not looked for, since the events behind are read ahead ([EventBatch]).
///
/// **A renamed directory** keeps its watches, and changes its name here with the event of its arrival. The kernel queues the two
/// events of a rename together, so where the second is missing for [#PAIR_NANOS] the directory has left the tree,
/// and its watches are removed.
///
/// For one thread at a time.
final class TreeWatch implements AutoCloseable {
  /// How long the second event of a rename may be behind the first: its thread may lose the processor between the two.
  static final long PAIR_NANOS = 10_000_000;

  /// Steps in one turn, before other watches get theirs.
  private static final int STEPS = 256;

  /// Uploads of ours that may be between the two events of their rename.
  private static final int UPLOADS = 64;

  /// What is next.
  enum Progress {
    /// Another turn, at once.
    MORE,
    /// Nothing until the kernel has something new.
    IDLE,
    /// Nothing until then, or until [#PAIR_NANOS] from now.
    HELD,
    /// Nothing ever.
    OVER
  }

  private final WatchRequest request;
  private final Function<String, @Nullable Entry> entries;
  private final Directories directories;
  private final Sink sink;
  private final Tree tree = new Tree();
  private final EventBatch batch;
  private final Scan scan;

  /// Directories between the two events of their rename.
  private final Map<Integer, Node> moving = new HashMap<>();

  /// Uploads of ours between the two events of their rename, by the temporary name.
  private final Map<Integer, String> arriving = new HashMap<>();

  private @Nullable InotifyReader reader; // of the thread whose turn it is
  private boolean recursive;
  private boolean silent = true;
  private boolean over;
  private boolean holding;
  private long heldSince;

  private TreeWatch(
      WatchRequest request,
      Function<String, @Nullable Entry> entries,
      int inotify,
      Budget budget,
      Sink sink) {
    this.request = request;
    this.entries = entries;
    this.sink = sink;
    recursive = request.recursive();
    directories = new Directories(inotify, request.path(), request.allowNetworkMounts());
    batch = new EventBatch(inotify);
    scan = new Scan(tree, directories, budget, batch, this::found);
  }

  /// Begins a watch: of the directory, and where that was asked for of all below, which may take seconds and ends early
  /// when the sink is closed. When this returns, what happens from now on will be told, and nothing that happened before.
  ///
  /// @param entries looks up what is at an absolute path now
  static TreeWatch open(
      WatchRequest request,
      Function<String, @Nullable Entry> entries,
      Budget budget,
      Sink sink,
      InotifyReader reader)
      throws WatchFailure {
    int inotify = Inotify.open();
    if (inotify < 0) {
      throw new WatchFailure(
          WatchFailure.Kind.FAILED, "error creating watcher: " + KernelLimits.describe(inotify));
    }
    TreeWatch watch = new TreeWatch(request, entries, inotify, budget, sink);
    try {
      watch.begin(reader);
      return watch;
    } catch (WatchFailure | RuntimeException | Error failure) {
      watch.close();
      throw failure;
    }
  }

  private void begin(InotifyReader mine) throws WatchFailure {
    Found root = directories.root();
    try {
      scan.watch(tree.root, root.watch());
      recursive &= !Directories.isPseudo(root.fd());
      if (recursive) {
        scan.list(tree.root, root.fd());
      }
    } finally {
      Posix.close(root.fd());
    }
    // What happens meanwhile in the part that is watched already belongs to the time before. It is
    // looked at, because names may change.
    while (!scan.done() && !over && !sink.closed()) {
      turn(mine, 0);
    }
    long end = batch.end();
    while ((batch.position() < end || !scan.done()) && !over && !sink.closed()) {
      turn(mine, 0);
    }
    if (over) {
      throw new WatchFailure(
          WatchFailure.Kind.NOT_FOUND,
          "path " + request.path() + " not found: it was removed while its watch began");
    }
    silent = false;
    scan.tell();
  }

  int inotify() {
    return directories.inotify();
  }

  /// Does some of what there is to do.
  ///
  /// @param mine serves the calling thread
  /// @param now as `System.nanoTime` has it
  Progress turn(InotifyReader mine, long now) throws WatchFailure {
    reader = mine;
    try {
      for (int step = 0; step < STEPS; step++) {
        if (over || sink.closed()) {
          return Progress.OVER;
        }
        if (scan.step()) {
          if (silent && batch.isEmpty()) {
            fill(mine); // a large tree takes long enough for a busy one to fill the kernel's queue
          }
          continue;
        }
        InotifyEvent event = batch.peek();
        if (event == null) {
          if (fill(mine) == 0) {
            drained();
            return over ? Progress.OVER : Progress.IDLE;
          }
        } else if (held(event, mine, now)) {
          return Progress.HELD;
        } else {
          long position = batch.position();
          batch.take();
          scan.forget(position);
          look(event, position);
        }
      }
      return Progress.MORE;
    } finally {
      reader = null;
    }
  }

  private int fill(InotifyReader mine) throws WatchFailure {
    int bytes = batch.fill(mine);
    if (bytes < 0) {
      throw new WatchFailure(
          WatchFailure.Kind.FAILED, "watcher error: reading events: " + Errno.describe(bytes));
    }
    return bytes;
  }

  /// True where a directory is renamed and it is not yet clear to where.
  private boolean held(InotifyEvent event, InotifyReader mine, long now) throws WatchFailure {
    if (!recursive || silent || !event.has(Inotify.IN_ISDIR) || !event.has(Inotify.IN_MOVED_FROM)) {
      return false;
    }
    Node parent = tree.byWatch(event.watch());
    Node child = parent == null ? null : tree.child(parent, event.name());
    if (child == null
        || batch.arrives(event.cookie())
        || (fill(mine) > 0 && batch.arrives(event.cookie()))) {
      holding = false;
      return false;
    }
    if (!holding) {
      holding = true;
      heldSince = now;
    }
    holding = now - heldSince < PAIR_NANOS;
    return holding;
  }

  private void drained() throws WatchFailure {
    scan.forget(Long.MAX_VALUE);
    if (!scan.missedOne()) {
      return;
    }
    int root = directories.enter(tree, tree.root);
    if (root < 0) {
      throw new WatchFailure(
          WatchFailure.Kind.OVER,
          "watcher error: the watched directory is no longer at "
              + request.path()
              + ": it or a directory above it was renamed or removed");
    }
    Posix.close(root);
  }

  private void look(InotifyEvent event, long position) throws WatchFailure {
    if (event.has(Inotify.IN_Q_OVERFLOW)) {
      throw new WatchFailure(
          WatchFailure.Kind.LOST,
          "watcher error: events were lost, more came at once than the kernel keeps ("
              + KernelLimits.value("max_queued_events")
              + ")");
    }
    Node node = tree.byWatch(event.watch());
    if (node == null) { // of a directory that has left the tree
      Node moved = event.has(Inotify.IN_MOVED_TO) ? moving.remove(event.cookie()) : null;
      if (moved != null) {
        scan.drop(moved);
      }
      return;
    }
    if (event.has(Inotify.IN_UNMOUNT)) {
      unmounted(node);
    } else if (event.has(Inotify.IN_IGNORED)) {
      scan.lost(node);
      over |= node == tree.root;
    } else if (!event.name().isEmpty()) {
      named(node, event, position);
    } else if (node == tree.root) {
      self(event);
    } // else it is told with its name by the directory above
  }

  private void unmounted(Node node) throws WatchFailure {
    if (node == tree.root) {
      throw new WatchFailure(
          WatchFailure.Kind.OVER,
          "watcher error: the file system of the watched directory "
              + request.path()
              + " was unmounted");
    }
    scan.drop(node);
  }

  private void self(InotifyEvent event) throws WatchFailure {
    if (event.has(Inotify.IN_ATTRIB)) {
      tell(WatchEvent.Type.CHMOD, ".", "");
    }
    if (event.has(Inotify.IN_MOVE_SELF)) {
      tell(WatchEvent.Type.RENAME, ".", "");
      throw new WatchFailure(
          WatchFailure.Kind.OVER,
          "watcher error: the watched directory "
              + request.path()
              + " was renamed; what happens in it is told no more");
    }
    if (event.has(Inotify.IN_DELETE_SELF)) {
      tell(WatchEvent.Type.REMOVE, ".", "");
      over = true;
    }
  }

  private void named(Node node, InotifyEvent event, long position) throws WatchFailure {
    String name = event.name();
    boolean directory = event.has(Inotify.IN_ISDIR);
    if (!directory && UploadNames.isTemporary(name)) {
      if (event.has(Inotify.IN_MOVED_FROM)) {
        arriving(event.cookie(), name);
      }
      return;
    }
    if (!directory && event.has(Inotify.IN_ATTRIB) && isNameless(node, name)) {
      return;
    }
    Node child = directory && recursive ? tree.child(node, name) : null;
    if (event.has(Inotify.IN_CREATE)) {
      boolean news = appeared(node, name, directory, null);
      if (news && !directory && !silent) {
        content(node, name);
      }
    } else if (event.has(Inotify.IN_MOVED_TO)) {
      String upload = arriving.remove(event.cookie());
      if (upload == null) {
        appeared(node, name, directory, moving.remove(event.cookie()));
      } else {
        uploaded(node, name, UploadNames.replaces(upload));
      }
    } else if (event.has(Inotify.IN_MODIFY)) {
      hear(node, name);
      tell(WatchEvent.Type.WRITE, node, name);
    } else if (event.has(Inotify.IN_ATTRIB)) {
      hear(node, name);
      tell(WatchEvent.Type.CHMOD, node, name);
      if (child != null && !child.watched()) {
        scan.look(node, name); // perhaps it may be read now
      }
    } else if (child != null && isOfAnEarlierOne(child, node, name, position)) {
      child.toldAhead = true;
    } else if (event.has(Inotify.IN_DELETE)) {
      disappeared(WatchEvent.Type.REMOVE, node, name);
      if (child != null) {
        scan.drop(child);
      }
    } else if (event.has(Inotify.IN_MOVED_FROM)) {
      disappeared(WatchEvent.Type.RENAME, node, name);
      if (child != null) {
        depart(child, event.cookie());
      }
    }
  }

  /// Whether the event is of a file that has no name yet (`O_TMPFILE`), as uploads have at first. The kernel calls it `#`
  /// and its inode's number. `IN_EXCL_UNLINK` leaves out what is written to it, but not its owner, mode and attributes.
  private boolean isNameless(Node node, String name) {
    if (name.length() < 2 || name.charAt(0) != '#') {
      return false;
    }
    for (int i = 1; i < name.length(); i++) {
      if (name.charAt(i) < '0' || name.charAt(i) > '9') {
        return false;
      }
    }
    return Posix.linkStatus(directories.absolute(Tree.path(node, name))) == null;
  }

  /// Whether the event of a disappearance is of a directory that had the name before the one that is known under it.
  private boolean isOfAnEarlierOne(Node child, Node parent, String name, long position) {
    if (!child.watched() || position >= child.listedAt) {
      return false;
    }
    int open = directories.enter(tree, parent);
    if (open < 0) {
      return false;
    }
    int now = directories.watchOf(tree, open, name);
    Posix.close(open);
    return now == child.watch;
  }

  /// True where the caller has not heard of it before.
  private boolean appeared(Node parent, String name, boolean directory, @Nullable Node moved)
      throws WatchFailure {
    Node known = directory && recursive ? tree.child(parent, name) : null;
    if (known != null && known.toldAhead) {
      known.toldAhead = false;
      return false;
    }
    boolean told = parent.listing != null && parent.listing.appeared(name);
    if (!told) {
      tell(WatchEvent.Type.CREATE, parent, name);
    }
    if (directory && recursive) {
      place(parent, name, known, told, moved);
    }
    return !told;
  }

  private void place(
      Node parent, String name, @Nullable Node known, boolean told, @Nullable Node moved)
      throws WatchFailure {
    if (moved != null && !moved.removed && !Tree.isAtOrAbove(moved, parent)) {
      arrive(moved, parent, name);
      return;
    }
    if (told && known != null && known.watched()) {
      return;
    }
    if (reader != null) {
      fill(reader);
    }
    if (!batch.goesAgain(parent.watch, name)) {
      scan.look(parent, name);
    }
  }

  private void depart(Node child, int cookie) {
    if (batch.arrives(cookie)) {
      tree.detach(child);
      moving.put(cookie, child);
    } else {
      scan.drop(child);
    }
  }

  private void arrive(Node moved, Node parent, String name) {
    Node replaced = tree.child(parent, name);
    if (replaced != null && replaced != moved) {
      scan.drop(replaced);
    }
    tree.move(moved, parent, name);
    if (parent == moved.foundIn && name.equals(moved.foundAs)) {
      moved.foundIn = null;
      moved.foundAs = null;
    }
    scan.retry(moved);
  }

  private void disappeared(WatchEvent.Type type, Node node, String name) {
    hear(node, name);
    tell(type, node, name);
    if (node.listing != null) {
      node.listing.disappeared(name);
    }
  }

  /// Tells of a name that was there before its directory had a watch, and gone before the directory was listed.
  private void hear(Node node, String name) {
    if (node.listing != null && node.listing.unheardOf(name)) {
      tell(WatchEvent.Type.CREATE, node, name);
    }
  }

  private void arriving(int cookie, String temporary) {
    if (arriving.size() >= UPLOADS) {
      arriving.clear(); // they have left the tree
    }
    arriving.put(cookie, temporary);
  }

  /// An upload of ours has come under its name: for the caller the file was written just now.
  private void uploaded(Node node, String name, boolean replaces) {
    boolean told = node.listing != null && node.listing.appeared(name);
    if (replaces) {
      tell(WatchEvent.Type.WRITE, node, name);
    } else if (!told) {
      FileStatus status = Posix.linkStatus(directories.absolute(Tree.path(node, name)));
      found(node, name, status != null && status.size() > 0);
    }
  }

  /// A file can get its name when it is written already (linkat(2)), as uploads do. Then no event speaks of its content.
  private void content(Node node, String name) throws WatchFailure {
    FileStatus status = Posix.linkStatus(directories.absolute(Tree.path(node, name)));
    if (status == null || !status.isRegular() || status.links() != 1 || status.size() == 0) {
      return;
    }
    if (reader != null) {
      fill(reader); // the event of a write comes a moment after its content
    }
    if (!batch.isModified(node.watch, name)) {
      tell(WatchEvent.Type.WRITE, node, name);
    }
  }

  private void found(Node node, String name, boolean content) {
    tell(WatchEvent.Type.CREATE, node, name);
    if (content) {
      tell(WatchEvent.Type.WRITE, node, name);
    }
  }

  private void tell(WatchEvent.Type type, Node node, String name) {
    if (!silent) {
      String path = Tree.path(node, name);
      tell(type, path, path);
    }
  }

  private void tell(WatchEvent.Type type, String name, String below) {
    if (silent) {
      return;
    }
    boolean with =
        request.includeEntry() && type != WatchEvent.Type.REMOVE && type != WatchEvent.Type.RENAME;
    Entry entry = with ? entries.apply(directories.absolute(below)) : null;
    sink.event(new WatchEvent(type, name, entry));
  }

  /// Lets go of everything. Not while another thread is at work here.
  @Override
  public void close() {
    scan.close();
    Posix.close(directories.inotify());
  }
}

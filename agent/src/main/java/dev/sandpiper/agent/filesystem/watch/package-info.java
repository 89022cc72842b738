/// What happens below a directory, as it happens.
///
/// inotify(7) tells what happens to the names *in* a directory, not below it, and says where something came from or went
/// to only by two numbers that match. [TreeWatch][dev.sandpiper.agent.filesystem.watch.TreeWatch] makes of that what
/// callers want: each entry that appears in the tree is told once, whoever was faster, the kernel's event or the look
/// into a directory that is new; and what happens in a directory that was renamed is told under the name it has then.
/// Start reading there.
///
/// Requests come in through [Watches][dev.sandpiper.agent.filesystem.watch.Watches] and
/// [Watchers][dev.sandpiper.agent.filesystem.watch.Watchers], for callers that hold on and for callers that come back;
/// events go out through the bounded queue of a [DirectoryWatch][dev.sandpiper.agent.filesystem.watch.DirectoryWatch].
/// One thread, [WatchLoop][dev.sandpiper.agent.filesystem.watch.WatchLoop], serves all watches while there are any.
@NullMarked
package dev.sandpiper.agent.filesystem.watch;

import org.jspecify.annotations.NullMarked;

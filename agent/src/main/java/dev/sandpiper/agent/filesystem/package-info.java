/// The sandbox's files: looking at them, listing, making, moving, removing.
///
/// The one idea: a file's name is bytes, and a file's owner is a matter of the kernel. So paths are strings in the
/// reversible form of [FileNames][dev.sandpiper.agent.posix.FileNames], trees are walked from open directories rather
/// than by path where others may change them meanwhile, and what a user may do is decided by the kernel, on a thread that
/// has that user's identity, where `--enforce-user-permissions` asks for it.
///
/// Everything here blocks, for as long as a disk or a network mount likes, so it runs on the threads of
/// [FileWork][dev.sandpiper.agent.filesystem.FileWork] and nowhere else: callers hand in a task and are called back.
/// The operations are those of [Entries][dev.sandpiper.agent.filesystem.Entries].
/// What goes wrong is a [FileFailure][dev.sandpiper.agent.filesystem.FileFailure] of a known kind.
@NullMarked
package dev.sandpiper.agent.filesystem;

import org.jspecify.annotations.NullMarked;

/// From a {@link dev.sandpiper.agent.launch.LaunchSpec} to a running child that is entirely the agent's own.
///
/// The one idea: the agent owns every descriptor, the wait status and the identity of each child, behind one small
/// interface ({@link dev.sandpiper.agent.launch.Child}). A child writes into FIFOs that have a path, so that whoever
/// comes after this agent can open them again; it is started with `posix_spawn`, so that its pid, its exit status and
/// its signal are what the kernel says; and it runs as its user because one thread took that identity for a moment.
///
/// What flows in: a complete environment, an absolute working directory, a {@link dev.sandpiper.agent.accounts.User}. What
/// flows out: descriptors (ownership is written at each), a pid, an {@link dev.sandpiper.agent.launch.Exit}, or a
/// {@link dev.sandpiper.agent.launch.LaunchException} that names what was wrong and leaves nothing behind.
///
/// Start reading at {@link dev.sandpiper.agent.launch.Launcher}; `PosixLauncher` is its implementation, `FifoPool` and
/// `Identity` are the two parts with rules of their own.
@NullMarked
package dev.sandpiper.agent.launch;

import org.jspecify.annotations.NullMarked;

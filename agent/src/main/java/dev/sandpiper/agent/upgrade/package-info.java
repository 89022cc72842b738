/// A new version in the place of the old one: same process, same port, same commands.
///
/// The one idea: a process that executes another program stays the same process to everybody else. Its children are still its
/// children, so their ends are known exactly; its listening sockets still listen, so connections wait instead of being refused;
/// and what the keeper's sockets hold is still there. So the old agent stops as if it left its commands to a later agent, and
/// that later agent is started at once, in its place, with the few descriptors and values that are not on the disk.
///
/// What flows in: what the agent hands over ({@link dev.sandpiper.agent.upgrade.Handover}). What flows out: the same in the
/// next program, through a file without a name whose number is in the environment; secrets are in that file only.
///
/// Start reading at {@link dev.sandpiper.agent.upgrade.Successor}.
@NullMarked
package dev.sandpiper.agent.upgrade;

import org.jspecify.annotations.NullMarked;

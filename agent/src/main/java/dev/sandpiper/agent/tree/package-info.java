/// Everything that a command started: found, signalled, and known to be gone.
///
/// The one idea: a tree is what can be *proven* to come from a command, by any of five kinds of evidence, and the proof
/// is looked up anew each time. A process belongs when it descends from the leader, is in the leader's session or group,
/// carries the mark that every command gets in its environment (`SANDPIPER_PROCESS_ID`), is in the command's control
/// group where it has one of its own, or still holds the command's output although it hides everything else. What might
/// belong and cannot be proven is never signalled; it is named, and nothing is called gone while it runs.
///
/// What flows in: a {@link dev.sandpiper.agent.tree.TreeRoot}, which outlives the process it stands for. What flows out: a
/// {@link dev.sandpiper.agent.tree.TreeOutcome}. Looking reads `/proc` for every process of the machine and blocks for
/// milliseconds, killing for up to its limit: not for event loops, fine for virtual threads.
///
/// Start reading at {@link dev.sandpiper.agent.tree.ProcessTrees}, then `Membership` (the evidence) and `Pursuit` (the
/// race against those who fork).
@NullMarked
package dev.sandpiper.agent.tree;

import org.jspecify.annotations.NullMarked;

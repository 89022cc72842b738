/// The processes of the sandbox: who runs, how each one ends, and who may still ask.
///
/// A start flows down through {@link dev.sandpiper.agent.process.ProcessManager} to `launch`, and the child's descriptors
/// flow into an output log; everything that happens to a process afterwards (exit, drain, time limit, input) happens on
/// the one pipe loop, so its life needs no locks. Callers see {@link dev.sandpiper.agent.process.ManagedProcess}, whose
/// facts are published once and never change back: *exited*, then *ended*.
///
/// Start reading at {@link dev.sandpiper.agent.process.ProcessManager#start}.
@NullMarked
package dev.sandpiper.agent.process;

import org.jspecify.annotations.NullMarked;

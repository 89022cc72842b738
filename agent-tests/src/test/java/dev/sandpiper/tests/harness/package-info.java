/// What the black-box tests drive the image with: the agent as a process ([AgentProcess]), clients for its four wire
/// formats ([RpcClient]), its records as they leave it ([Records]), and the kernel's view of it ([ProcFs]).
///
/// Clients pull: nothing is read from a socket before a test asks for it, so that a client that stops reading, pauses or
/// goes away needs no help of its own. Everything that waits has a limit and says on failure what it waited for.
@NullMarked
package dev.sandpiper.tests.harness;

import org.jspecify.annotations.NullMarked;

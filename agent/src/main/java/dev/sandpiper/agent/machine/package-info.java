/// What the sandbox may use, and what it uses: processors, memory and disk.
///
/// The numbers are the machine's where nothing limits the sandbox, and those of its control group where that allows
/// less: inside a container of half a processor on a machine of 64, a hundred percent is that half. Control groups of
/// both versions are understood, also from inside a container that sees only its own part of them. Nothing is sampled
/// in the background; what nobody asks for costs nothing.
///
/// Also here: the certificates that its programs trust ([TrustStore][dev.sandpiper.agent.machine.TrustStore]).
///
/// Start reading at {@link dev.sandpiper.agent.machine.Machine}.
@NullMarked
package dev.sandpiper.agent.machine;

import org.jspecify.annotations.NullMarked;

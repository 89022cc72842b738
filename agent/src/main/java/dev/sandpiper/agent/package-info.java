/// The agent inside a sandbox: it starts commands, streams what they print, and loses none of it.
///
/// This package holds the entry point and the wiring, nothing else: `Main` reads the command line, and every object
/// of the running daemon is built in one place, started in order and stopped in reverse.
@NullMarked
package dev.sandpiper.agent;

import org.jspecify.annotations.NullMarked;

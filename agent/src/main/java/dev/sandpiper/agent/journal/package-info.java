/// The lives of processes, durably: started, ended, deleted, and how far the record emitter came.
///
/// One append-only file, one `write(2)` per entry, each with length and checksum, so that a crash leaves either the whole entry
/// or a torn tail that the next start recognises and drops. [StateDirectory] is the directory it lives in, next to the segments:
/// locked, versioned, private to the agent.
@NullMarked
package dev.sandpiper.agent.journal;

import org.jspecify.annotations.NullMarked;

/// The output log: what a command prints is a log that only grows, and everybody who wants it is a reader.
///
/// In: the read ends of a child's pipes, or the master of its terminal ([OutputSource]). One thread, the [PipeLoop], moves
/// their bytes with `splice(2)` into segment files; the kernel moves them or does not, so there is no moment at which they
/// are only in our memory. Out: any number of [Cursor]s, each at a pace of its own, reading from the page cache. A slow
/// reader, a dead one and none at all are no special cases.
///
/// An [OutputLog] is a byte sequence per stream, cut into segments, and an index that says in which order the streams grew
/// and when. [OutputStore] owns all logs, the bound on each and the bound on all of them together.
///
/// Start reading at [OutputLog], then `Pump` and `Mover` (how bytes get in), `LogCursor` (how they get out), `Retention` (how they go).
@NullMarked
package dev.sandpiper.agent.output;

import org.jspecify.annotations.NullMarked;

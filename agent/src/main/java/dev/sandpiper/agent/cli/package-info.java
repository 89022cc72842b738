/// The command line: `sandpiper serve`, which is the daemon, and the commands beside it, which are its clients.
///
/// A client command speaks the API over the wire like any other program, so this package knows the generated messages
/// and nothing of the daemon; the daemon is handed in as a callback. `run` speaks Connect with the binary codec over an
/// HTTP/1.1 client of its own on a plain socket: `java.net.http` would be one more module in every image, and pulls in
/// a selector thread and an executor for what is one request at a time here.
///
/// The usual way to start the daemon (`serve` and settings) is parsed by a loop of a few lines; picocli is loaded for
/// everything else, and that includes every help text and every error. Both read the same list of settings.
///
/// Start reading at `SandpiperCommand`, then `RunCommand`.
@NullMarked
package dev.sandpiper.agent.cli;

import org.jspecify.annotations.NullMarked;

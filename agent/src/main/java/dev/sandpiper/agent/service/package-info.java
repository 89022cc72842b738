/// The proto services: one class per service, messages in, domain calls, messages out.
///
/// Nothing here knows a wire format, and nothing below knows a message. A domain failure becomes a `Status` in one table,
/// {@link dev.sandpiper.agent.service.Failures}. Calls run on their socket's event loop and never block it: what takes
/// time happens on the pipe loop or the spawner thread and comes back through the call's executor.
///
/// Start reading at {@link dev.sandpiper.agent.service.ProcessService}.
@NullMarked
package dev.sandpiper.agent.service;

import org.jspecify.annotations.NullMarked;

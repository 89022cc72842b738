/// The Connect protocol: unary calls as plain HTTP requests (POST, and GET where the schema allows it), streams as
/// envelopes of which the last one carries the end.
@NullMarked
package dev.sandpiper.agent.rpc.connect;

import org.jspecify.annotations.NullMarked;

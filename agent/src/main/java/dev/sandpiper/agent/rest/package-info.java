/// Plain HTTP: what is asked for without an RPC. One class per resource, each registering its own routes.
///
/// Start reading at {@link dev.sandpiper.agent.rest.HealthRoute}.
@NullMarked
package dev.sandpiper.agent.rest;

import org.jspecify.annotations.NullMarked;

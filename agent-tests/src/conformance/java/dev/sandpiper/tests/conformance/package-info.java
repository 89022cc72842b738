/// The server that the public Connect conformance suite tests: the agent's own `http` and `rpc` classes around a service
/// that answers as each case of the suite asks it to.
@NullMarked
package dev.sandpiper.tests.conformance;

import org.jspecify.annotations.NullMarked;

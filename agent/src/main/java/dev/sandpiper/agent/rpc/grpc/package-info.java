/// gRPC and gRPC-Web: the same envelopes; they differ in where the end of a call stands.
@NullMarked
package dev.sandpiper.agent.rpc.grpc;

import org.jspecify.annotations.NullMarked;

/// Hosts grpc-java services over other wire formats than gRPC's own server speaks.
///
/// [RpcServer][dev.sandpiper.agent.rpc.RpcServer] finds the method of a request and the
/// [WireProtocol][dev.sandpiper.agent.rpc.WireProtocol] of its content type, which makes an
/// [RpcCall][dev.sandpiper.agent.rpc.RpcCall]: a grpc-java `ServerCall` on one `HttpExchange`. Bytes flow
/// exchange → [MessageReader][dev.sandpiper.agent.rpc.MessageReader] → codec → service, and back; demand and
/// writability flow the other way, so neither side buffers more than one message and one water mark.
///
/// The wire formats are in `rpc.connect` and `rpc.grpc`; each translates messages and errors, and nothing else does.
@NullMarked
package dev.sandpiper.agent.rpc;

import org.jspecify.annotations.NullMarked;

package dev.sandpiper.agent.rpc;

/// Limits of the RPC engine.
///
/// @param maxReceiveBytes a request message, as sent and after decompression; more is `resource_exhausted`
/// @param compressFromBytes smaller response messages are sent as they are, whatever was negotiated
/// @param maxWaiting requests that wait for the services to be registered; more are `unavailable`
public record RpcSettings(int maxReceiveBytes, int compressFromBytes, int maxWaiting) {
  public static final RpcSettings DEFAULTS = new RpcSettings(16 * 1024 * 1024, 256, 1000);
}

package dev.sandpiper.agent.service;

import dev.sandpiper.proto.filesystem.WatchDirRequest;
import dev.sandpiper.proto.filesystem.WatchDirResponse;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import org.jspecify.annotations.Nullable;

/// `WatchDir`: `start` when the watch is in place, then its events for as long as the client stays (contract, section 4.10).
final class WatchDirHandler implements ServerCallHandler<WatchDirRequest, WatchDirResponse> {
  private final WatchService watches;

  WatchDirHandler(WatchService watches) {
    this.watches = watches;
  }

  @Override
  public ServerCall.Listener<WatchDirRequest> startCall(
      ServerCall<WatchDirRequest, WatchDirResponse> call, Metadata headers) {
    WatchCall watch = new WatchCall(call, headers);
    call.request(2); // one, and the second that would be an error
    return new ServerCall.Listener<>() {
      private @Nullable WatchDirRequest request;

      @Override
      public void onMessage(WatchDirRequest message) {
        request = message;
      }

      @Override
      public void onHalfClose() {
        if (request == null) {
          watch.fail(Status.UNIMPLEMENTED.withDescription("the call holds no message"));
          return;
        }
        watches.open(
            call,
            request.getPath(),
            request.getRecursive(),
            request.getIncludeEntry(),
            request.getAllowNetworkMounts(),
            watch);
      }

      @Override
      public void onReady() {
        watch.pump();
      }

      @Override
      public void onCancel() {
        watch.release();
      }

      @Override
      public void onComplete() {
        watch.release();
      }
    };
  }
}

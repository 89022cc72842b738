package dev.sandpiper.agent.service;

import dev.sandpiper.agent.filesystem.watch.WatchFailure;
import io.grpc.Status;

/// The table from failures of watching to status codes (contract, section 4.10).
final class WatchFailures {
  private WatchFailures() {}

  static Status status(WatchFailure failure) {
    Status status =
        switch (failure.kind()) {
          case NOT_FOUND, NO_SUCH_WATCHER -> Status.NOT_FOUND;
          case INVALID -> Status.INVALID_ARGUMENT;
          case TOO_MANY_WATCHERS -> Status.RESOURCE_EXHAUSTED;
          case LOST, OVER, FAILED -> Status.INTERNAL;
        };
    return status.withDescription(failure.getMessage());
  }
}

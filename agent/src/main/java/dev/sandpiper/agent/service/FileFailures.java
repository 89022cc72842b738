package dev.sandpiper.agent.service;

import dev.sandpiper.agent.filesystem.FileFailure;
import io.grpc.Status;

/// The one table from failures of file operations to status codes. What the E2B contract does not list is `internal`
/// there; a right that the user lacks says so.
final class FileFailures {
  private FileFailures() {}

  static Status of(FileFailure failure) {
    Status status =
        switch (failure.kind()) {
          case NOT_FOUND -> Status.NOT_FOUND;
          case EXISTS -> Status.ALREADY_EXISTS;
          case INVALID -> Status.INVALID_ARGUMENT;
          case LOOP -> Status.FAILED_PRECONDITION;
          case DENIED -> Status.PERMISSION_DENIED;
          case LIMIT -> Status.RESOURCE_EXHAUSTED;
          case STOPPING -> Status.UNAVAILABLE;
          case NOT_A_DIRECTORY, IS_A_DIRECTORY, NO_SPACE, NO_INODES, BUSY, CROSS_DEVICE, OTHER ->
              Status.INTERNAL;
        };
    return status.withDescription(failure.getMessage());
  }
}

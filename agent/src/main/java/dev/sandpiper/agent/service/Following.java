package dev.sandpiper.agent.service;

import io.grpc.Status;

/// An answer that follows an output log. On the call's executor.
interface Following {
  /// Sends what the log holds for as long as the client takes it.
  void pump();

  /// Ends the call with this status, once.
  void close(Status status);

  /// The client has gone, or the call is complete: lets go of the log. The process is not touched.
  void release();
}

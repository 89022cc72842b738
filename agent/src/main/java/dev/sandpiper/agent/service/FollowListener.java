package dev.sandpiper.agent.service;

import io.grpc.ServerCall;

/// What `Start` and `Connect` have in common: the socket's readiness moves the output on, and a client that leaves is
/// forgotten without a word to the process.
class FollowListener<Q> extends ServerCall.Listener<Q> {
  private final OutputCall output;

  FollowListener(OutputCall output) {
    this.output = output;
  }

  @Override
  public void onReady() {
    output.pump();
  }

  @Override
  public void onCancel() {
    output.release();
  }

  @Override
  public void onComplete() {
    output.release();
  }
}

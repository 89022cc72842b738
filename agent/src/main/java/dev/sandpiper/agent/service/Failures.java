package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.InputOutcome;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessEnd;
import dev.sandpiper.agent.process.Selector;
import dev.sandpiper.agent.process.StartRefused;
import io.grpc.Status;

/// The one table from domain failures to status codes. Codes drive E2B's SDKs (contract, section 1.8): `not_found` from
/// SendSignal makes `kill()` return false, `unavailable` and `resource_exhausted` are read as "sandbox gone" and "rate
/// limited", so ordinary failures never use them.
final class Failures {
  private Failures() {}

  static Status of(StartRefused refused) {
    Status status =
        switch (refused.reason()) {
          case UNKNOWN_USER -> Status.UNAUTHENTICATED;
          case USER_DENIED, COMMAND_NOT_EXECUTABLE -> Status.PERMISSION_DENIED;
          case COMMAND_NOT_FOUND -> Status.NOT_FOUND;
          case BAD_CWD, INVALID -> Status.INVALID_ARGUMENT;
          case KEY_CONFLICT -> Status.ALREADY_EXISTS;
          case RESOURCES -> Status.RESOURCE_EXHAUSTED;
          case STOPPING -> Status.UNAVAILABLE;
          case INTERNAL -> Status.INTERNAL;
        };
    return status.withDescription(refused.getMessage());
  }

  /// For what only a process can do that has not ended.
  static Status ended(ManagedProcess process) {
    ProcessEnd end = process.end();
    return Status.FAILED_PRECONDITION.withDescription(
        "process %s has ended: %s".formatted(process.processId(), end == null ? "" : end.status()));
  }

  static Status notFound(Selector selector) {
    return Status.NOT_FOUND.withDescription(
        switch (selector) {
          case Selector.ByPid(int pid) ->
              "process with pid " + Integer.toUnsignedString(pid) + " not found";
          case Selector.ByTag(String tag) -> "process with tag " + tag + " not found";
        });
  }

  /// @param device `stdin` or `tty`, as the contract's messages say
  static Status of(InputOutcome outcome, String device, int pid) {
    String what = "error writing to " + device + ": ";
    return switch (outcome) {
      case InputOutcome.Accepted _ -> Status.OK;
      case InputOutcome.Closed _ ->
          Status.INTERNAL.withDescription(what + device + " not enabled or closed");
      case InputOutcome.Hole _, InputOutcome.EndsElsewhere _, InputOutcome.InDoubt _ ->
          Status.INTERNAL.withDescription(what + "refused as if it had an offset: " + outcome);
      case InputOutcome.Failed(int accepted, String error) ->
          Status.INTERNAL.withDescription(
              what + "process '" + pid + "' took " + accepted + " bytes, then: " + error);
      case InputOutcome.Stalled(int accepted, int total) ->
          Status.DEADLINE_EXCEEDED.withDescription(
              what
                  + "process '"
                  + pid
                  + "' took "
                  + accepted
                  + " of "
                  + total
                  + " bytes and stopped reading; the rest was dropped");
      case InputOutcome.QueueFull(long queued, long limit) ->
          Status.RESOURCE_EXHAUSTED.withDescription(
              what
                  + queued
                  + " bytes wait for process '"
                  + pid
                  + "' already, the limit is "
                  + limit
                  + "; nothing of this input was taken");
    };
  }
}

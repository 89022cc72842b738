package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.InputOutcome;
import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.proto.v1.WriteRequest;
import dev.sandpiper.proto.v1.WriteResponse;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusException;
import java.util.OptionalLong;

/// `Write`: input at an offset. Answered when the kernel has taken all of it, or will not; whatever the answer, it says how much
/// input was taken: an error in the trailer `accepted-offset`.
final class WriteHandler implements UnaryHandler.Method<WriteRequest, WriteResponse> {
  private static final Metadata.Key<String> ACCEPTED_OFFSET =
      Metadata.Key.of("accepted-offset", Metadata.ASCII_STRING_MARSHALLER);

  private final ProcessManager processes;

  WriteHandler(ProcessManager processes) {
    this.processes = processes;
  }

  @Override
  public void handle(WriteRequest request, Reply<WriteResponse> reply) {
    ManagedProcess process;
    try {
      process = ProcessRefs.find(processes, request.getProcess());
    } catch (StatusException refused) {
      reply.fail(refused.getStatus());
      return;
    }
    if (request.getOffset() < 0) {
      reply.fail(
          Status.INVALID_ARGUMENT.withDescription(
              "offset must not be negative: " + request.getOffset()));
      return;
    }
    if (request.getEnd() && process.terminal()) {
      reply.fail(
          Status.INVALID_ARGUMENT.withDescription(
              "a terminal has no end of input; write byte 0x04 to it"));
      return;
    }
    process.writeAt(
        request.hasOffset() ? OptionalLong.of(request.getOffset()) : OptionalLong.empty(),
        request.getBytes().toByteArray(),
        request.getEnd(),
        outcome -> {
          if (outcome instanceof InputOutcome.Accepted(long offset, boolean ended)) {
            reply.ok(WriteResponse.newBuilder().setAcceptedOffset(offset).setEnded(ended).build());
          } else {
            refuse(process, outcome, reply);
          }
        });
  }

  private static void refuse(
      ManagedProcess process, InputOutcome outcome, Reply<WriteResponse> reply) {
    long accepted = process.inputOffset();
    Metadata trailers = new Metadata();
    trailers.put(ACCEPTED_OFFSET, Long.toString(accepted));
    reply.fail(status(process, outcome, accepted), trailers);
  }

  private static Status status(ManagedProcess process, InputOutcome outcome, long accepted) {
    String id = process.processId();
    return switch (outcome) {
      case InputOutcome.Accepted _ -> Status.OK;
      case InputOutcome.Hole(long offset, long _) ->
          precondition(
              "offset %d lies behind what was written; process %s has accepted %d bytes of input"
                  .formatted(offset, id, accepted));
      case InputOutcome.EndsElsewhere(long end) ->
          precondition(
              "the input of process %s has its end at offset %d, or has bytes up to there"
                  .formatted(id, end));
      case InputOutcome.InDoubt(long from, long to) ->
          precondition(
              "whether process %s got bytes %d to %d of its input before the agent was restarted is not known; to go on, write at offset %d"
                  .formatted(id, from, to, to));
      case InputOutcome.Closed _ ->
          precondition("process %s takes no input, or not any more".formatted(id));
      case InputOutcome.Failed(int _, String error) ->
          precondition(
              "process %s has accepted %d bytes of input, then: %s".formatted(id, accepted, error));
      case InputOutcome.Stalled _ ->
          Status.DEADLINE_EXCEEDED.withDescription(
              "process %s has accepted %d bytes of input and stopped reading; the rest was dropped"
                  .formatted(id, accepted));
      case InputOutcome.QueueFull(long queued, long limit) ->
          Status.RESOURCE_EXHAUSTED.withDescription(
              "%d bytes wait for process %s already, the limit is %d; nothing of this input was taken"
                  .formatted(queued, id, limit));
    };
  }

  private static Status precondition(String message) {
    return Status.FAILED_PRECONDITION.withDescription(message);
  }
}

package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.proto.process.ProcessInput;
import io.grpc.Status;
import java.util.function.Consumer;

/// Writes one `ProcessInput`, refusing what does not fit the process: stdin for a terminal, terminal input for pipes.
final class InputWriter {
  private InputWriter() {}

  /// @param done gets the outcome, once, on this thread or on the pipe loop
  static void write(ManagedProcess process, ProcessInput input, Consumer<Status> done) {
    switch (input.getInputCase()) {
      case STDIN -> {
        if (process.terminal()) {
          done.accept(
              Status.INTERNAL.withDescription(
                  "error writing to stdin: process '"
                      + process.pid()
                      + "' runs on a terminal; send its input as pty"));
        } else {
          process.write(
              input.getStdin().toByteArray(),
              outcome -> done.accept(Failures.of(outcome, "stdin", process.pid())));
        }
      }
      case PTY -> {
        if (!process.terminal()) {
          done.accept(
              Status.INTERNAL.withDescription(
                  "error writing to tty: tty not assigned to process '" + process.pid() + "'"));
        } else {
          process.write(
              input.getPty().toByteArray(),
              outcome -> done.accept(Failures.of(outcome, "tty", process.pid())));
        }
      }
      case INPUT_NOT_SET ->
          done.accept(Status.UNIMPLEMENTED.withDescription("input holds neither stdin nor pty"));
    }
  }
}

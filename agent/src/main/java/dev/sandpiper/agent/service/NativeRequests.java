package dev.sandpiper.agent.service;

import dev.sandpiper.agent.launch.PtySize;
import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.process.StartSpec;
import dev.sandpiper.proto.v1.Command;
import dev.sandpiper.proto.v1.TerminalSize;
import java.time.Duration;
import java.util.Optional;

/// Requests of `sandpiper.v1` as ours.
final class NativeRequests {
  private static final int MAX_SIZE = 0xffff; // the kernel keeps 16 bits of each
  private static final int MAX_KEY_BYTES = 256;

  /// What programs assume of a terminal that reports no size.
  private static final PtySize DEFAULT_SIZE = new PtySize(80, 24);

  private NativeRequests() {}

  /// @param caller the account that the call itself names, for a command that names none
  /// @throws IllegalArgumentException naming the field and what is wrong with it
  static StartSpec spec(
      Command command, Optional<String> caller, Optional<String> key, boolean ephemeral) {
    if (command.getCmd().isEmpty()) {
      throw new IllegalArgumentException("command.cmd is required");
    }
    if (command.getTimeLimitMs() < 0) {
      throw new IllegalArgumentException(
          "command.time_limit_ms is " + command.getTimeLimitMs() + ", it must not be negative");
    }
    if (key.isPresent() && key.get().length() > MAX_KEY_BYTES) {
      throw new IllegalArgumentException(
          "key has " + key.get().length() + " characters, the limit is " + MAX_KEY_BYTES);
    }
    return new StartSpec(
        command.getCmd(),
        command.getArgsList(),
        command.getEnvMap(),
        given(command.getCwd()),
        given(command.getUser()).or(() -> caller),
        given(command.getTag()),
        command.hasTerminal()
            ? new Stdio.Terminal(sizeOrDefault(command.getTerminal()))
            : new Stdio.Pipes(command.getStdin()),
        command.getTimeLimitMs() == 0
            ? Optional.empty()
            : Optional.of(Duration.ofMillis(command.getTimeLimitMs())),
        key,
        ephemeral);
  }

  static Optional<String> given(String value) {
    return value.isEmpty() ? Optional.empty() : Optional.of(value);
  }

  private static PtySize sizeOrDefault(TerminalSize size) {
    return size.getCols() == 0 && size.getRows() == 0
        ? DEFAULT_SIZE
        : size("command.terminal", size);
  }

  /// @throws IllegalArgumentException naming the field
  static PtySize size(String field, TerminalSize size) {
    return new PtySize(
        check(field + ".cols", size.getCols()), check(field + ".rows", size.getRows()));
  }

  private static int check(String field, int value) {
    if (value < 1 || value > MAX_SIZE) {
      throw new IllegalArgumentException(
          "%s is %s, it must be 1 to %d"
              .formatted(field, Integer.toUnsignedString(value), MAX_SIZE));
    }
    return value;
  }
}

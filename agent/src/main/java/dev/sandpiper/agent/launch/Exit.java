package dev.sandpiper.agent.launch;

/// How a leader ended. `exit 137` and SIGKILL are different things here.
public sealed interface Exit {
  /// It returned a code, 0 to 255.
  record Exited(int code) implements Exit {}

  /// A signal ended it.
  record Signaled(int signal, boolean coreDumped) implements Exit {}

  /// Nobody can tell any more, and it is not guessed; `why` is a sentence.
  record Lost(String why) implements Exit {}
}

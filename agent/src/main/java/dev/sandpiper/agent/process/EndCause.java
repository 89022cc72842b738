package dev.sandpiper.agent.process;

/// Why a process ended, as far as this agent knows.
public enum EndCause {
  /// It exited, or was killed by somebody else than this agent.
  EXIT,
  /// A caller of the API sent the signal that killed it.
  SIGNAL,
  /// Its time limit elapsed.
  TIME_LIMIT,
  /// The agent stopped it because the agent itself was stopping.
  AGENT_STOP,
  /// Its wait status could not be learnt.
  LOST
}

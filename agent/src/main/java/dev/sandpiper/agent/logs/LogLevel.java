package dev.sandpiper.agent.logs;

/// How serious an entry is, least first.
public enum LogLevel {
  DEBUG,
  INFO,
  WARN,
  ERROR
}

package dev.sandpiper.agent;

import dev.sandpiper.agent.config.Setting;
import dev.sandpiper.agent.config.Settings;
import dev.sandpiper.agent.journal.StateDirectory;
import java.nio.file.Path;
import java.util.List;

/// What concerns the daemon as a whole.
///
/// @param stateDirectory where journal and output live
/// @param syncJournal whether every journal entry is forced to the disk
/// @param logLevel the least level of the agent's own log lines
/// @param sandboxId by which the sandbox is known; empty where nobody has told it
/// @param recordArguments whether `process_start` records hold the arguments of commands
record AgentSettings(
    Path stateDirectory,
    boolean syncJournal,
    LogLevel logLevel,
    String sandboxId,
    boolean recordArguments) {
  /// How much the agent says of itself.
  enum LogLevel {
    DEBUG,
    INFO,
    WARN,
    ERROR
  }

  static final Setting<Path> STATE_DIR =
      Setting.path("state-dir")
          .defaultsTo(
              StateDirectory::defaultPath,
              "/var/lib/sandpiper as root, else $XDG_STATE_HOME/sandpiper")
          .because("directory of the journal and of what commands print; one agent at a time");

  static final Setting<Boolean> SYNC_JOURNAL =
      Setting.bool("sync-journal")
          .defaultsTo(false)
          .because("force every journal entry to the disk, so that it survives a power cut too");

  static final Setting<LogLevel> LOG_LEVEL =
      Setting.choice("log-level", LogLevel.class)
          .defaultsTo(LogLevel.INFO)
          .because("least level of the agent's own log lines");

  static final Setting<String> SANDBOX_ID =
      Setting.text("sandbox-id")
          .defaultsTo(
              () -> System.getenv().getOrDefault("E2B_SANDBOX_ID", ""), "$E2B_SANDBOX_ID, or none")
          .because("id of the sandbox in /sandboxes/{id}/logs; any other is not found");

  static final Setting<Boolean> RECORD_ARGUMENTS =
      Setting.bool("record-arguments")
          .defaultsTo(false)
          .because(
              "put the arguments of commands, which may hold secrets, into process_start records");

  static List<Setting<?>> all() {
    return List.of(STATE_DIR, SYNC_JOURNAL, LOG_LEVEL, SANDBOX_ID, RECORD_ARGUMENTS);
  }

  static AgentSettings from(Settings settings) {
    return new AgentSettings(
        settings.get(STATE_DIR),
        settings.get(SYNC_JOURNAL),
        settings.get(LOG_LEVEL),
        settings.get(SANDBOX_ID),
        settings.get(RECORD_ARGUMENTS));
  }
}

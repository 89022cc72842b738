package dev.sandpiper.agent.telemetry;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.core.spi.ContextAwareBase;
import ch.qos.logback.core.status.Status;

/// Keeps Logback from configuring itself: no XML is looked for, and nothing is printed to standard output.
///
/// Logback finds it as a service, the one way it offers. Until [AgentLogging#configure] every line is dropped.
public final class QuietConfigurator extends ContextAwareBase implements Configurator {
  @Override
  public ExecutionStatus configure(LoggerContext context) {
    // A listener that is there already also keeps Logback's printer of statuses away, and with it 7
    // ms of date formats.
    context.getStatusManager().add(QuietConfigurator::complain);
    context.getLogger(Logger.ROOT_LOGGER_NAME).setLevel(Level.OFF);
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }

  /// What Logback has to say about itself; there is no other place for it.
  @SuppressWarnings("SystemOut") // standard error
  private static void complain(Status status) {
    if (status.getLevel() >= Status.WARN) {
      System.err.println("sandpiper: logging: " + status);
    }
  }
}

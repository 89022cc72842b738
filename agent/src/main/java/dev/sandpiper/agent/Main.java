package dev.sandpiper.agent;

import dev.sandpiper.agent.cli.Program;
import dev.sandpiper.agent.cli.SandpiperCommand;
import dev.sandpiper.agent.upgrade.Handover;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The program's entry point.
public final class Main {
  /// {@link Handover#VARIABLE}, without loading that class where it is not needed.
  private static final String HANDOVER = Handover.VARIABLE;

  private Main() {}

  static void main(String[] arguments) throws Exception {
    Map<String, String> environment = System.getenv();
    Handover handover =
        environment.containsKey(HANDOVER) ? Handover.received(environment).orElse(null) : null;
    System.exit(
        SandpiperCommand.execute(
            new Program(
                Version.current(),
                Agent.settings(),
                settings -> new Daemon(settings, handover).run(),
                new LeftLogs()),
            withSecrets(environment, handover),
            arguments));
  }

  private static Map<String, String> withSecrets(
      Map<String, String> environment, @Nullable Handover handover) {
    if (handover == null) {
      return environment;
    }
    Map<String, String> whole = new HashMap<>(environment);
    whole.remove(Handover.VARIABLE);
    whole.putAll(Legacy.secrets(handover));
    return whole;
  }
}

package dev.sandpiper.agent;

import dev.sandpiper.agent.cli.Program;
import dev.sandpiper.agent.cli.SandpiperCommand;
import dev.sandpiper.agent.posix.Posix;
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
    if (arguments.length > 0 && arguments[0].equals("serve")) {
      warmUp();
    }
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

  /// Links the foreign calls while the rest of the program loads: a tenth of a start's processor time, on the other processor.
  private static void warmUp() {
    Thread.ofPlatform()
        .name("link")
        .daemon()
        .uncaughtExceptionHandler(
            (_, _) -> {}) // whoever needs them fails in the same way, and tells
        .start(Posix::warmUp);
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

package dev.sandpiper.agent;

import dev.sandpiper.agent.cli.Program;
import dev.sandpiper.agent.cli.SandpiperCommand;
import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Settings;
import dev.sandpiper.agent.record.RecordSink;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/// The program's entry point.
public final class Main {
  /// Standard output as the launcher leaves it to the agent: the JVM's own words go to descriptor 1, which is standard error
  /// then. Without the launcher there is only descriptor 1.
  private static final int RECORDS_DESCRIPTOR = Integer.getInteger("sandpiper.records.fd", 1);

  private Main() {}

  static void main(String[] arguments) throws Exception {
    System.exit(
        SandpiperCommand.execute(
            new Program(Version.current(), Agent.settings(), Main::serve), arguments));
  }

  private static int serve(Settings settings) throws BadSettingException, InterruptedException {
    Agent agent;
    try {
      agent = Agent.start(settings, RecordSink.descriptor(RECORDS_DESCRIPTOR));
    } catch (IOException e) {
      throw new BadSettingException(List.of(String.valueOf(e.getMessage())));
    }
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform()
                .name("stop")
                .unstarted(() -> {
                  agent.close();
                  stopped.countDown();
                }));
    stopped.await(); // until SIGTERM or SIGINT; the JVM ends with the hook
    return 0;
  }
}

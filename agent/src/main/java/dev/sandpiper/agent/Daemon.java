package dev.sandpiper.agent;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.sandpiper.agent.auth.AuthSettings;
import dev.sandpiper.agent.cli.Signals;
import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.Settings;
import dev.sandpiper.agent.record.RecordSink;
import dev.sandpiper.agent.upgrade.Handover;
import dev.sandpiper.agent.upgrade.Successor;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// `serve`: one agent until SIGTERM or SIGINT, or until another program takes its place at SIGUSR2.
///
/// A replacement stops the agent first and executes then. Where executing fails, an agent is started again in this program
/// with what the other was to get, so that commands, port and token are as before; connections have ended.
final class Daemon {
  private static final Logger LOG = LoggerFactory.getLogger("upgrade");

  /// Standard output as the launcher leaves it to the agent: the JVM's own words go to descriptor 1, which is standard error
  /// then. Without the launcher there is only descriptor 1.
  private static final int RECORDS_DESCRIPTOR = Integer.getInteger("sandpiper.records.fd", 1);

  private final Settings settings;
  private final @Nullable Handover received;
  private final CountDownLatch stopped = new CountDownLatch(1);

  @GuardedBy("this")
  private @Nullable Agent agent;

  private volatile boolean stopping;

  Daemon(Settings settings, @Nullable Handover received) {
    this.settings = settings;
    this.received = received;
  }

  /// Returns the program's exit code.
  int run() throws BadSettingException, InterruptedException {
    synchronized (this) {
      // Before the start, or a SIGTERM that comes when the port answers and the hook is not there
      // yet would
      // end the program within a line; it waits for the start.
      Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("stop").unstarted(this::stop));
      try {
        agent = start(received);
      } catch (IOException e) {
        throw new BadSettingException(List.of(String.valueOf(e.getMessage())));
      } catch (UnsupportedOperationException e) { // a C library that Sandpiper cannot run with
        throw new BadSettingException(List.of(String.valueOf(e.getMessage())));
      }
    }
    listen();
    stopped.await(); // until SIGTERM or SIGINT; the JVM ends with the hook
    return 0;
  }

  private Agent start(@Nullable Handover handover) throws IOException, BadSettingException {
    return Agent.start(settings, RecordSink.descriptor(RECORDS_DESCRIPTOR), handover);
  }

  private void stop() {
    stopping = true;
    synchronized (this) {
      if (agent != null) {
        agent.close();
      }
    }
    stopped.countDown();
  }

  private void listen() {
    Signals.handleUpgrade(() -> Thread.ofPlatform().name("upgrade").start(this::replace));
  }

  /// Returns only when this program goes on.
  private synchronized void replace() {
    Agent old = agent;
    if (old == null || stopping) {
      return;
    }
    Handover handover;
    Successor successor;
    try {
      successor = Successor.find(System.getProperty("sandpiper.launcher"), RECORDS_DESCRIPTOR);
      LOG.info(
          "SIGUSR2: {} takes the place of sandpiper {}", successor.program(), Version.current());
      handover = old.handOver();
    } catch (IOException refused) {
      LOG.error("not replaced, this agent goes on: {}", refused.getMessage());
      old.announceFailure(String.valueOf(refused.getMessage()));
      return;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return;
    }
    String why =
        stopping
            ? "the agent is stopping"
            : successor.execute(handover, Set.copyOf(AuthSettings.secretVariables()));
    goOn(handover, why);
  }

  @GuardedBy("this")
  private void goOn(Handover handover, String why) {
    try {
      agent = start(handover.with(Legacy.FAILURE, why));
      listen();
      LOG.error("not replaced, this agent goes on: {}", why);
    } catch (IOException | BadSettingException | RuntimeException failure) {
      lastWords("sandpiper: not replaced (" + why + "), and not able to go on: " + failure);
      agent = null;
      Thread.ofPlatform().start(() -> System.exit(1)); // waits for the hook, which waits for us
    }
  }

  @SuppressWarnings("SystemOut") // there is no agent whose records could tell
  private static void lastWords(String words) {
    System.err.println(words);
  }
}

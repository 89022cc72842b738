package dev.sandpiper.agent;

import dev.sandpiper.agent.accounts.SandboxDefaults;
import dev.sandpiper.agent.auth.AccessToken;
import dev.sandpiper.agent.auth.AuthSettings;
import dev.sandpiper.agent.http.HttpServer;
import dev.sandpiper.agent.journal.StateDirectory;
import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.agent.upgrade.Handover;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What of a running agent the next one needs and cannot find on the disk: sockets that listen, what the keeper keeps, the
/// token, and what `/init` has set.
final class Estate {
  private static final Logger LOG = LoggerFactory.getLogger("upgrade");

  /// Requests that are being answered get so long, while new connections wait in the sockets' queues.
  private static final Duration GRACE = Duration.ofMillis(200);

  private final HttpServer http;
  private final StateDirectory state;
  private final ProcessManager processes;
  private final AccessToken token;
  private final SandboxDefaults defaults;
  private final Legacy legacy;
  private final long startedMillis = System.currentTimeMillis();

  Estate(
      HttpServer http,
      StateDirectory state,
      ProcessManager processes,
      AccessToken token,
      SandboxDefaults defaults,
      Legacy legacy) {
    this.http = http;
    this.state = state;
    this.processes = processes;
    this.token = token;
    this.defaults = defaults;
    this.legacy = legacy;
  }

  /// Tells in the lock file which agent this is: its version, when it started, where it listens, and why it was not
  /// replaced, if somebody has tried.
  void announce(@Nullable String failure) {
    String addresses = String.join(",", http.addresses().stream().map(String::valueOf).toList());
    state.announce(
        Version.current(),
        Long.toString(startedMillis),
        addresses,
        failure == null ? "" : System.currentTimeMillis() + " " + failure.replace('\n', ' '));
  }

  /// Ends connections and takes hands off the commands.
  ///
  /// @throws IOException saying why this cannot be; then nothing has changed
  Handover handOver() throws IOException, InterruptedException {
    if (state.temporary()) {
      throw new IOException(
          "the state directory is a temporary one, and commands would be lost; give one with --state-dir");
    }
    Map<String, Integer> descriptors = listeners();
    Map<String, String> values = new HashMap<>();
    values.put(Legacy.VERSION, Version.current());
    values.put(Legacy.STOPPED_AT, Long.toString(Instant.now().toEpochMilli()));
    http.close(GRACE);
    processes.handDown().forEach((name, fd) -> descriptors.put(Legacy.KEPT + name, fd));
    addSecrets(values);
    SandboxDefaults.Values set = defaults.now();
    set.user().ifPresent(user -> values.put(Legacy.USER, user));
    set.workdir().ifPresent(workdir -> values.put(Legacy.WORKDIR, workdir));
    set.variables().forEach((name, value) -> values.put(Legacy.VARIABLES + name, value));
    legacy.openFiles().ifPresent(soft -> values.put(Legacy.OPEN_FILES, Long.toString(soft)));
    return new Handover(values, descriptors);
  }

  private Map<String, Integer> listeners() throws IOException {
    List<Integer> own = http.descriptors();
    if (own.isEmpty()) {
      throw new IOException(
          "the sockets that listen cannot be handed over, because epoll is not available");
    }
    Map<String, Integer> duplicates = new HashMap<>();
    for (int i = 0; i < own.size(); i++) {
      int fd = Posix.dup(own.get(i));
      if (fd < 0) {
        duplicates.values().forEach(Posix::close);
        throw new IOException("a socket that listens cannot be handed over: " + Errno.describe(fd));
      }
      duplicates.put(Legacy.LISTENERS + "%04d".formatted(i), fd);
    }
    return duplicates;
  }

  private void addSecrets(Map<String, String> values) {
    String now = token.handDown();
    if (now != null) {
      values.put(Legacy.TOKEN, now);
    }
    Map<String, String> earlier = legacy.secrets();
    for (String name : AuthSettings.secretVariables()) {
      String value = earlier.getOrDefault(name, System.getenv(name));
      if (value != null && !value.isEmpty()) {
        values.put(Legacy.SECRETS + name, value);
      }
    }
    LOG.debug("{} values are handed over", values.size());
  }
}

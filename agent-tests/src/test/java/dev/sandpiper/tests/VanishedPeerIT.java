package dev.sandpiper.tests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sandpiper.tests.harness.Account;
import dev.sandpiper.tests.harness.AgentProcess;
import dev.sandpiper.tests.harness.Measured;
import dev.sandpiper.tests.harness.Native;
import dev.sandpiper.tests.harness.Shell;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/// A client whose machine is gone: it confirms nothing, and closes nothing.
final class VanishedPeerIT {
  private static final String CLIENT =
      "127.31.7.36"; // an address of this machine that nobody else uses
  private static final String[] ROUTE = {"blackhole", CLIENT + "/32", "table", "local"};

  private static Shell.Result route(String action) {
    String[] command = new String[3 + ROUTE.length];
    command[0] = "ip";
    command[1] = "route";
    command[2] = action;
    System.arraycopy(ROUTE, 0, command, 3, ROUTE.length);
    return Shell.run(command);
  }

  private static boolean connected(int port) {
    return Shell.run("ss", "-Htn", "state", "connected", "src", "127.0.0.1:" + port, "dst", CLIENT)
        .requireSuccess()
        .stdout()
        .contains(CLIENT);
  }

  /// T-36.
  @Test
  void aPeerThatVanishesInTheMiddleOfAStreamIsDropped() throws IOException {
    assumeTrue(Account.isRoot(), "needs root, to make an address unreachable");
    assumeTrue(
        Shell.run("sh", "-c", "command -v ip && command -v ss").exitCode() == 0,
        "needs ip and ss (iproute2)");
    try (AgentProcess agent = AgentProcess.builder().flag("--idle-timeout", "2s").start();
        Socket client = new Socket()) {
      new Native(agent.processes().rpc()).start("while :; do echo line; sleep 0.05; done");
      client.bind(new InetSocketAddress(InetAddress.ofLiteral(CLIENT), 0));
      client.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), agent.port()));
      client
          .getOutputStream()
          .write(
              "GET /logs?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n"
                  .getBytes(StandardCharsets.US_ASCII));
      assertThat(client.getInputStream().read()).isEqualTo('H');
      assertThat(connected(agent.port())).isTrue();
      Shell.Result unreachable = route("add");
      assumeTrue(unreachable.exitCode() == 0, "needs the right to add a route: " + unreachable);
      try {
        long vanished = System.nanoTime();
        await()
            .atMost(Duration.ofSeconds(30))
            .pollInterval(Duration.ofMillis(100))
            .until(() -> !connected(agent.port()));
        Measured.print(
            "a peer that vanished was dropped after %.1f s, limit 2 s",
            Measured.seconds(Measured.since(vanished)));
      } finally {
        route("del").requireSuccess();
      }
    }
  }
}

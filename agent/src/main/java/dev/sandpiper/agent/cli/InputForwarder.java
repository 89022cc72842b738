package dev.sandpiper.agent.cli;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/// Copies standard input to the process, piece by piece, and then closes the process's. A piece is sent when the one
/// before was taken, so no more than one is held here however slowly the command reads.
final class InputForwarder {
  // PIPE_BUF: a pipe takes as much at once or nothing, so a piece that timed out may be sent again.
  private static final int PIECE_BYTES = 4096;
  private static final byte END_OF_TRANSMISSION = 4; // Ctrl-D
  private static final long PAUSE_NANOS = Duration.ofMillis(50).toNanos();

  private final ProcessClient client;
  private final int pid;
  private final boolean terminal;
  private final InputStream in;
  private final Console console;

  /// `terminal`: whether the process has one, which ends its input by a character of its own.
  InputForwarder(ProcessClient client, int pid, boolean terminal, Console console) {
    this.client = client;
    this.pid = pid;
    this.terminal = terminal;
    this.in = console.in();
    this.console = console;
  }

  /// On a thread of its own, which does not keep the program alive: the command may end without reading everything.
  void start() {
    Thread.ofPlatform().daemon().name("stdin").start(this::copy);
  }

  private void copy() {
    var piece = new byte[PIECE_BYTES];
    try {
      for (var count = in.read(piece); count >= 0; count = in.read(piece)) {
        send(piece, count);
      }
      if (terminal) {
        send(new byte[] {END_OF_TRANSMISSION}, 1);
      } else {
        client.closeStdin(pid);
      }
    } catch (ApiException e) {
      // The command ended, or closed its standard input, before it had read everything: its own
      // affair, as in a shell.
      if (!e.code().equals("not_found") && !e.code().equals("internal")) {
        console.complain("standard input was not passed on: " + e.text());
      }
    } catch (IOException e) {
      console.complain("standard input was not passed on: " + e.getMessage());
    }
  }

  // An agent answers a write that a command does not read for long: here that is no reason to give
  // up.
  private void send(byte[] piece, int count) throws IOException, ApiException {
    while (true) {
      try {
        client.sendInput(pid, terminal, piece, count);
        return;
      } catch (ApiException e) {
        switch (e.code()) {
          case "deadline_exceeded" -> {} // it waited already
          case "resource_exhausted" ->
              LockSupport.parkNanos(PAUSE_NANOS); // others' input waits before this
          default -> throw e;
        }
      }
    }
  }
}

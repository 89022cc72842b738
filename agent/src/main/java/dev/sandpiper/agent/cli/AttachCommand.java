package dev.sandpiper.agent.cli;

import com.google.protobuf.ByteString;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.proto.v1.ProcessRef;
import dev.sandpiper.proto.v1.ReadRequest;
import java.io.IOException;
import java.io.InputStream;

/// `sandpiper attach`: goes on with a process that runs: its output from now on (or from some lines before), and its
/// input. Its end is this program's; a signal, or Ctrl-P Ctrl-Q on a terminal, only ends the attachment.
///
/// @param lines so many lines of what was printed before
/// @param withInput whether standard input is passed on
record AttachCommand(AgentOptions agent, String name, long lines, boolean withInput)
    implements ClientCommand {
  /// The keys that detach, as those of Docker do.
  private static final byte CTRL_P = 16;

  private static final byte CTRL_Q = 17;
  private static final int PIECE_BYTES = 4096;

  @Override
  public int run(Screen screen) throws IOException, ApiException {
    try (var client = new NativeClient(agent);
        var inputClient = new NativeClient(agent)) {
      var process = client.find(name);
      var typed =
          withInput && process.getTerminal() && screen.console().input() == Console.Input.TERMINAL;
      if (!typed) {
        return follow(client, inputClient, process, screen, false);
      }
      var ref = NativeClient.ref(process);
      try (var _ = Terminal.raw()) {
        resize(inputClient, ref, screen);
        Signals.handleResize(() -> resize(inputClient, ref, screen));
        return follow(client, inputClient, process, screen, true);
      }
    }
  }

  private int follow(
      NativeClient client,
      NativeClient inputClient,
      ProcessInfo process,
      Screen screen,
      boolean typed)
      throws IOException, ApiException {
    var input = screen.console().input();
    if (withInput
        && process.getAcceptsInput()
        && (typed || !process.getTerminal() || input == Console.Input.DATA)
        && input != Console.Input.NOTHING) {
      Thread.ofPlatform()
          .daemon()
          .name("stdin")
          .start(() -> forward(inputClient, NativeClient.ref(process), screen, typed));
    }
    var request = ReadRequest.newBuilder().setProcess(NativeClient.ref(process)).setLive(true);
    if (lines > 0) {
      request.setLastLines(lines);
    } else {
      request.setEnd(true);
    }
    var end = new OutputReader(client, screen, LogsCommand.PATIENCE).copy(request.build());
    if (!end.hasEnd()) {
      return ExitCode.AGENT;
    }
    var code = Ends.exitCode(end.getEnd());
    if (code == ExitCode.AGENT) {
      screen.complain("how the command ended is not known: " + Ends.words(end.getEnd()));
    }
    return code;
  }

  private static void resize(NativeClient client, ProcessRef process, Screen screen) {
    try {
      client.resize(process, Terminal.size());
    } catch (IOException | ApiException e) {
      screen.complain("the size of the terminal was not passed on: " + e.getMessage());
    }
  }

  private static void forward(
      NativeClient client, ProcessRef process, Screen screen, boolean typed) {
    InputStream in = screen.console().in();
    var piece = new byte[PIECE_BYTES];
    var prefix = false; // Ctrl-P was typed, and waits for what follows
    try {
      for (var count = in.read(piece); count >= 0; count = in.read(piece)) {
        var bytes = ByteString.copyFrom(piece, 0, count);
        if (typed) {
          if (prefix && piece[0] == CTRL_Q) {
            detach(screen);
          }
          if (prefix) {
            bytes = ByteString.copyFrom(new byte[] {CTRL_P}).concat(bytes);
          }
          prefix = false;
          for (var i = 0; i + 1 < bytes.size(); i++) {
            if (bytes.byteAt(i) == CTRL_P && bytes.byteAt(i + 1) == CTRL_Q) {
              detach(screen);
            }
          }
          if (bytes.byteAt(bytes.size() - 1) == CTRL_P) {
            prefix = true;
            bytes = bytes.substring(0, bytes.size() - 1);
          }
        }
        if (!bytes.isEmpty()) {
          client.write(process, bytes, false);
        }
      }
      if (!typed) {
        client.write(process, ByteString.EMPTY, true);
      }
    } catch (ApiException e) {
      // The command ended, or closed its standard input, before it had read everything: its own
      // affair.
      if (!e.code().equals("not_found") && !e.code().equals("failed_precondition")) {
        screen.complain("standard input was not passed on: " + e.text());
      }
    } catch (IOException e) {
      screen.complain("standard input was not passed on: " + e.getMessage());
    }
  }

  /// Ends this program; what restores the terminal runs on the way out.
  private static void detach(Screen screen) {
    screen.complain("detached; the command goes on\r");
    Runtime.getRuntime().exit(ExitCode.OK);
  }
}

package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileCallback;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileSource;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.rest.DownloadPlan.Body;
import dev.sandpiper.agent.rest.DownloadPlan.Part;
import io.netty.buffer.ByteBuf;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/// Sends parts of a file window by window. A thread for files brings a window into the page cache, unless it is there, then
/// the event loop sends it from there, so that it never waits for a disk; the next one is fetched meanwhile. Memory: none of
/// ours.
///
/// A file that becomes shorter meanwhile breaks the exchange off: what was promised cannot come.
final class FileParts implements HttpExchange.Listener {
  private static final long WINDOW_BYTES = 4 * 1024 * 1024;

  /// One is on its way to the socket, one is behind it.
  private static final int MAX_IN_FLIGHT = 2;

  private final HttpExchange exchange;
  private final FileWork work;
  private final User user;
  private final FileSource file;
  private final List<Part> windows;
  private final LongConsumer sentWhole;
  private final String behind;
  private int next;
  private int inFlight;
  private boolean fetching;
  private boolean resident; // that the next window was fetched
  private boolean sending;
  private boolean ended;
  private boolean aborted;
  private boolean counted;

  FileParts(
      HttpExchange exchange,
      FileWork work,
      User user,
      FileSource file,
      Body.Parts parts,
      LongConsumer sentWhole) {
    this.sentWhole = sentWhole;
    this.exchange = exchange;
    this.work = work;
    this.user = user;
    this.file = file;
    this.windows = windows(parts.parts());
    this.behind = parts.behind();
  }

  private static List<Part> windows(List<Part> parts) {
    List<Part> windows = new ArrayList<>();
    for (Part part : parts) {
      String before = part.before();
      for (long at = 0; at < part.length(); at += WINDOW_BYTES) {
        long length = Math.min(WINDOW_BYTES, part.length() - at);
        windows.add(new Part(before, part.start() + at, length));
        before = "";
      }
    }
    return windows;
  }

  /// On a thread for files: gets the file ready, and its first window.
  static void prepare(FileSource file, Body.Parts parts) throws FileFailure {
    file.channel();
    Part first = parts.parts().getFirst();
    file.makeResident(first.start(), Math.min(WINDOW_BYTES, first.length()));
  }

  /// On the event loop, after [#prepare].
  void start() {
    resident = true;
    goOn();
  }

  /// The next window, which is in memory.
  private void send() {
    Part window = windows.get(next++);
    ByteBuf before = exchange.newBuffer(window.before().length());
    before.writeCharSequence(window.before(), StandardCharsets.UTF_8);
    FileChannel channel;
    try {
      channel = file.channel(); // is open since prepare
    } catch (FileFailure impossible) {
      before.release();
      exchange.fail(impossible);
      return;
    }
    inFlight++;
    exchange.writeFile(before, channel, window.start(), window.length(), this::sent);
    if (next == windows.size()) {
      if (!behind.isEmpty()) {
        exchange.write(
            exchange
                .newBuffer(behind.length())
                .writeBytes(behind.getBytes(StandardCharsets.US_ASCII)));
      }
      ended = true;
      exchange.end();
      closeWhenUnused();
    }
  }

  private void sent() {
    inFlight--;
    if (ended || aborted) {
      closeWhenUnused();
    } else {
      goOn();
    }
  }

  /// Sends what is in memory, and has the rest fetched.
  private void goOn() {
    if (sending) {
      return; // what needs no sendfile may be sent, and say so, before `writeFile` returns: the
      // loop below goes on
    }
    sending = true;
    while (!fetching
        && !aborted
        && !exchange.isFinished() // also where the client has gone and nobody has told us yet
        && next < windows.size()
        && inFlight < MAX_IN_FLIGHT) {
      Part window = windows.get(next);
      if (resident || file.isResident(window.start(), window.length())) {
        resident = false;
        send();
      } else {
        fetch(window);
      }
    }
    sending = false;
  }

  private void fetch(Part window) {
    fetching = true;
    work.submit(
        user,
        () -> {
          file.makeResident(window.start(), window.length());
          return window;
        },
        new FileCallback<Part>() {
          @Override
          public void done(Part fetched) {
            exchange.eventLoop().execute(FileParts.this::fetched);
          }

          @Override
          public void failed(
              FileFailure failure) { // too much to do: then the disk is waited for here
            exchange.eventLoop().execute(FileParts.this::fetched);
          }
        });
  }

  private void fetched() {
    fetching = false;
    if (aborted || exchange.isFinished()) {
      aborted = true;
      closeWhenUnused();
    } else {
      resident = true;
      goOn();
    }
  }

  private void closeWhenUnused() {
    if (inFlight == 0 && !fetching) {
      if (ended && !aborted && !counted) {
        counted = true;
        sentWhole.accept(windows.stream().mapToLong(Part::length).sum());
      }
      file.close();
    }
  }

  @Override
  public void onData(ByteBuf data) {}

  @Override
  public void onEnd(Headers trailers) {}

  @Override
  public void onAborted() {
    aborted = true;
    closeWhenUnused();
  }
}

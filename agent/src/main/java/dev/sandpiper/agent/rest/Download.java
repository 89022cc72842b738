package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileCallback;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileSource;
import dev.sandpiper.agent.filesystem.FileWork;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.rest.DownloadPlan.Body;
import dev.sandpiper.agent.telemetry.Counters;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// One `GET` or `HEAD /files`. A small file that the kernel has in memory is answered at once. Else opening, looking and
/// reading happen on a thread for files; a small file is read there whole, in the same task. Larger ones are sent by [FileParts] from the page cache, files without a known size by [FileStream].
///
/// Checks come in the order of the contract (section 5.5): the path, then the coding, then the file itself.
final class Download implements HttpExchange.Listener {
  /// Files up to this are read and answered at once, in a buffer of the exchange.
  static final int SMALL_BYTES = 64 * 1024 - 128; // with head and framing a piece of 64 KiB

  private final HttpExchange exchange;
  private final FileWork work;
  private final User user;
  private final String path;
  private final Counters counters;
  private HttpExchange.@Nullable Listener sender;

  Download(HttpExchange exchange, FileWork work, User user, String path, Counters counters) {
    this.counters = counters;
    this.exchange = exchange;
    this.work = work;
    this.user = user;
    this.path = path;
  }

  /// @param plan what to answer
  /// @param file open where the plan needs it still, else null
  private record Opened(DownloadPlan plan, @Nullable FileSource file) {}

  void start() {
    exchange.listen(this);
    Headers request = exchange.requestHeaders();
    boolean head = exchange.method().equals("HEAD");
    FileSource cached = FileSource.openCached(work, user, path);
    if (cached != null && answersNow(request, head, cached)) {
      cached.close();
      return;
    }
    ByteBuf buffer = exchange.newBuffer(SMALL_BYTES);
    work.submit(
        user,
        () -> open(request, head, buffer, cached),
        new FileCallback<Opened>() {
          @Override
          public void done(Opened opened) {
            exchange.eventLoop().execute(() -> answer(opened, buffer));
          }

          @Override
          public void failed(FileFailure failure) {
            exchange
                .eventLoop()
                .execute(() -> {
                  buffer.release();
                  if (cached != null) {
                    cached.close(); // the task may not have run
                  }
                  Refusal refusal = Refusal.of(failure, null);
                  if (!exchange.isFinished()) {
                    Errors.json(exchange, refusal.status(), refusal.getMessage());
                  }
                });
          }
        });
  }

  /// Answers at once where the file is small, sent as it is, and in memory; else false, and nothing has happened.
  private boolean answersNow(Headers request, boolean head, FileSource file) {
    long size = file.size();
    if (size == 0 || size > SMALL_BYTES || !ContentCodings.sendsAsItIs(request)) {
      return false;
    }
    ByteBuf buffer = exchange.newBuffer((int) size);
    ByteBuffer content = buffer.internalNioBuffer(buffer.writerIndex(), (int) size);
    int start = content.position();
    if (file.readCached(content)) {
      DownloadPlan plan =
          DownloadPlan.ofContent(request, path, file, content.position(start), head);
      if (!(plan.body() instanceof Body.Parts)) {
        buffer.writerIndex(buffer.writerIndex() + content.position() - start);
        answer(new Opened(plan, null), buffer);
        return true;
      }
    }
    buffer.release();
    return false;
  }

  // A thread for files.

  /// @param cached the file, where it is open already
  private Opened open(Headers request, boolean head, ByteBuf buffer, @Nullable FileSource cached)
      throws FileFailure {
    FileSource file = cached == null ? FileSource.open(path) : cached;
    DownloadPlan plan;
    try {
      plan = plan(request, head, file, buffer);
    } catch (FileFailure | RuntimeException | Error failure) {
      file.close();
      throw failure;
    }
    if (plan.body() instanceof Body.Parts || plan.body() instanceof Body.Stream) {
      return new Opened(plan, file);
    }
    file.close();
    return new Opened(plan, null);
  }

  private DownloadPlan plan(Headers request, boolean head, FileSource file, ByteBuf buffer)
      throws FileFailure {
    boolean identity = ContentCodings.needsIdentity(request);
    Optional<ContentCodings> coding =
        identity ? Optional.of(ContentCodings.IDENTITY) : ContentCodings.choose(request);
    if (coding.isEmpty()) {
      return refusal(
          "error parsing Accept-Encoding: no acceptable encoding found, supported: [gzip]");
    }
    if (identity && !ContentCodings.isIdentityAllowed(request)) {
      return refusal("identity encoding not acceptable for Range or conditional request");
    }
    var room = buffer.internalNioBuffer(buffer.writerIndex(), SMALL_BYTES);
    int before = room.position();
    DownloadPlan plan = DownloadPlan.make(request, coding.get(), path, file, room, head);
    buffer.writerIndex(buffer.writerIndex() + room.position() - before);
    if (plan.body() instanceof Body.Parts parts) {
      FileParts.prepare(file, parts);
    }
    return plan;
  }

  private static DownloadPlan refusal(String message) {
    return new DownloadPlan(406, new Headers(), new Body.Text(message));
  }

  // The event loop.

  private void answer(Opened opened, ByteBuf buffer) {
    DownloadPlan plan = opened.plan;
    if (exchange.isFinished()) {
      buffer.release();
      if (opened.file != null) {
        opened.file.close();
      }
    } else if (plan.status() == 406 && plan.body() instanceof Body.Text text) {
      buffer.release();
      Errors.json(exchange, 406, text.text());
    } else {
      exchange.sendHead(plan.status(), plan.headers());
      send(plan, opened.file, buffer);
    }
  }

  private void send(DownloadPlan plan, @Nullable FileSource file, ByteBuf buffer) {
    switch (plan.body()) {
      case Body.Nothing _ -> {
        buffer.release();
        exchange.end();
      }
      case Body.Text text -> {
        exchange.write(buffer.writeBytes(text.text().getBytes(StandardCharsets.US_ASCII)));
        exchange.end();
      }
      case Body.Buffered _ -> {
        counters.fileDownloaded(buffer.readableBytes());
        exchange.write(buffer);
        exchange.end();
      }
      case Body.Parts parts -> {
        buffer.release();
        FileParts started =
            new FileParts(exchange, work, user, opened(file), parts, counters::fileDownloaded);
        sender = started;
        started.start();
      }
      case Body.Stream stream -> {
        FileStream started =
            new FileStream(exchange, work, user, stream.filler(), counters::fileDownloaded);
        sender = started;
        started.start(buffer, stream.begun());
      }
    }
  }

  private static FileSource opened(@Nullable FileSource file) {
    if (file == null) {
      throw new IllegalStateException("a plan with a body from a file, and no file");
    }
    return file;
  }

  @Override
  public void onData(ByteBuf data) {}

  @Override
  public void onEnd(Headers trailers) {}

  @Override
  public void onWritable() {
    if (sender != null) {
      sender.onWritable();
    }
  }

  @Override
  public void onAborted() {
    if (sender != null) {
      sender.onAborted();
    }
  }
}

package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.Upload;
import dev.sandpiper.agent.filesystem.Uploads;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What becomes of the body of one `POST /files`: unpacked, taken apart, and written, as it comes in. Holds at most one open
/// file. Runs on threads of [dev.sandpiper.agent.filesystem.FileWork], one at a time.
final class UploadBody {
  /// Where and as whom to write.
  ///
  /// @param path of the query, as the caller wrote it
  /// @param contentLength as the request has it; null without
  record Order(
      Accounts accounts,
      Uploads uploads,
      User user,
      Optional<String> path,
      Map<String, String> metadata,
      @Nullable String contentLength) {}

  /// One file that was written.
  record Written(String path, Map<String, String> metadata, long bytes) {}

  private final Order order;
  private final @Nullable MultipartParser<FailedException> parts;
  private final @Nullable Gunzip<FailedException> gunzip;
  private final List<Written> written = new ArrayList<>(1);
  private final Set<String> paths = new HashSet<>();
  private @Nullable Upload current;
  private String currentPath = "";

  /// Carries a [Refusal] or [FileFailure] through the parsers.
  private static final class FailedException extends Exception {
    private static final long serialVersionUID = 1L;

    FailedException(Exception cause) {
      super(cause.getMessage(), cause, false, false);
    }
  }

  /// @param boundary of a multipart body; null where the body is the file
  /// @throws Refusal where there can be no such boundary
  UploadBody(Order order, @Nullable String boundary, boolean gzip) throws Refusal {
    this.order = order;
    try {
      parts = boundary == null ? null : new MultipartParser<>(boundary, new PartWriter());
    } catch (MalformedMultipartException malformed) {
      throw new Refusal(500, "error parsing multipart form: " + malformed.getMessage());
    }
    gunzip = gzip ? new Gunzip<>(this::content) : null;
  }

  /// Takes the next bytes of the body, in a direct buffer, all of them. After a failure only [#abandon] may follow.
  void feed(ByteBuffer bytes) throws Refusal {
    try {
      if (gunzip != null) {
        gunzip.feed(bytes);
      } else {
        content(bytes);
      }
    } catch (FailedException failed) {
      throw refusal(failed);
    } catch (Gunzip.Broken broken) {
      throw refusal(broken);
    }
  }

  /// The body is complete: the files, in order.
  List<Written> end() throws Refusal {
    try {
      if (gunzip != null) {
        gunzip.end();
      }
      if (parts != null) {
        parts.end();
      } else {
        if (current == null) { // nothing came: an empty file
          begin(order.path.orElse(""));
        }
        finish();
      }
      return written;
    } catch (FailedException failed) {
      throw refusal(failed);
    } catch (Gunzip.Broken broken) {
      throw refusal(broken);
    } catch (MalformedMultipartException malformed) {
      throw new Refusal(500, "error reading form: " + malformed.getMessage());
    }
  }

  /// Gives up what is not finished. May be called at any time, more than once.
  void abandon() {
    if (current != null) {
      current.abandon();
      current = null;
    }
    if (gunzip != null) {
      gunzip.close();
    }
  }

  private static Refusal refusal(Gunzip.Broken broken) {
    return new Refusal(400, "error decompressing request body: " + broken.getMessage());
  }

  private Refusal refusal(FailedException failed) {
    if (failed.getCause() instanceof Refusal refusal) {
      return refusal;
    }
    if (failed.getCause() instanceof FileFailure failure) {
      return failure.kind() == FileFailure.Kind.NOT_FOUND
          ? new Refusal(
              500, failure.getMessage()) // 404 would mean that the path is not there to be read
          : Refusal.of(failure, order.contentLength);
    }
    if (failed.getCause() instanceof MalformedMultipartException malformed) {
      return new Refusal(500, "error reading form: " + malformed.getMessage());
    }
    throw new IllegalStateException(failed);
  }

  private void content(ByteBuffer bytes) throws FailedException {
    try {
      if (parts != null) {
        parts.feed(bytes);
      } else {
        if (current == null) {
          begin(order.path.orElse(""));
        }
        write(bytes);
      }
    } catch (MalformedMultipartException malformed) {
      throw new FailedException(malformed);
    }
  }

  private void begin(String path) throws FailedException {
    try {
      String resolved = FilesRequest.resolve(order.accounts, path, order.user);
      if (!paths.add(resolved)) {
        throw new Refusal(
            400,
            "you cannot upload multiple files to the same path '"
                + resolved
                + "' in one upload request, only the first specified file was uploaded");
      }
      currentPath = resolved;
      current = order.uploads.begin(order.user, resolved, order.metadata);
    } catch (Refusal | FileFailure failure) {
      throw new FailedException(failure);
    }
  }

  private void write(ByteBuffer bytes) throws FailedException {
    try {
      if (current != null) {
        current.write(bytes);
      }
    } catch (FileFailure failure) {
      throw new FailedException(failure);
    }
  }

  private void finish() throws FailedException {
    try {
      if (current != null) {
        Map<String, String> metadata = current.finish();
        written.add(new Written(currentPath, metadata, current.written()));
        current = null;
      }
    } catch (FileFailure failure) {
      throw new FailedException(failure);
    }
  }

  /// Writes the parts named `file`; the others are passed over.
  private final class PartWriter implements MultipartParser.Receiver<FailedException> {
    @Override
    public void partBegins(PartHead head) throws FailedException {
      if (!head.name().equals(Optional.of("file"))) {
        return;
      }
      Optional<String> path = order.path.or(head::fileName);
      if (path.isEmpty()) {
        throw new FailedException(
            new Refusal(400, "a part named 'file' has no filename, and the request no path"));
      }
      begin(path.get());
    }

    @Override
    public void partContent(ByteBuffer content) throws FailedException {
      write(content);
    }

    @Override
    public void partEnds() throws FailedException {
      finish();
    }
  }
}

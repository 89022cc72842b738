package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.FileSource;
import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.rest.ByteRanges.Range;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/// What a download answers: its head, and where its body comes from. Made on a thread for files, by the request's headers
/// and the opened file alone.
///
/// @param headers without `content-length` where that is not known
record DownloadPlan(int status, Headers headers, Body body) {
  sealed interface Body {
    /// None, or not wanted.
    record Nothing() implements Body {}

    /// What was written into the buffer that was handed in.
    record Buffered() implements Body {}

    /// A text of ours.
    record Text(String text) implements Body {}

    /// Parts of a file whose size is known, with text in front of each and behind the last.
    record Parts(List<Part> parts, String behind) implements Body {}

    /// Everything up to the end, wherever that is. The beginning is in the buffer that was handed in.
    ///
    /// @param filler gives the rest
    /// @param begun how the beginning went
    record Stream(FileFiller filler, FileFiller.Step begun) implements Body {}
  }

  /// @param before sent in front of it
  record Part(String before, long start, long length) {}

  /// Decides.
  ///
  /// @param request its headers
  /// @param first a direct buffer for a small file, or the beginning of one whose size is not known; empty on return
  ///     unless the body is `Buffered` or a `Stream`
  /// @param head whether only the head is wanted
  static DownloadPlan make(
      Headers request,
      ContentCodings coding,
      String path,
      FileSource file,
      ByteBuffer first,
      boolean head)
      throws FileFailure {
    int start = first.position();
    String name = UploadAnswers.name(path);
    Optional<String> namedType = MediaTypes.ofName(name);
    Headers headers = described(name);
    if (coding == ContentCodings.GZIP) {
      headers.add("content-type", namedType.orElse(MediaTypes.BINARY));
      headers.add("content-encoding", "gzip");
      if (head) {
        return new DownloadPlan(200, headers, new Body.Nothing());
      }
      FileFiller filler = new FileFiller(file, true);
      FileFiller.Step begun = filler.fill(first);
      if (begun == FileFiller.Step.END) {
        filler.close();
        headers.add("content-length", Integer.toString(first.position() - start));
        return new DownloadPlan(200, headers, new Body.Buffered());
      }
      return new DownloadPlan(200, headers, new Body.Stream(filler, begun));
    }
    if (file.size() > first.remaining() && file.hasTrueSize()) {
      headers.add("content-type", namedType.isPresent() ? namedType.get() : sniff(file, first));
      return sized(request, headers, file, first, head, false);
    }
    FileFiller filler = new FileFiller(file, false);
    int limit = first.limit();
    if (file.isRegular() && file.size() > 0 && file.size() < first.remaining()) {
      first.limit(start + (int) file.size()); // one read, if the size is true
    }
    FileFiller.Step begun = filler.fill(first);
    int read = first.position() - start;
    first.limit(limit);
    addType(headers, namedType, first.slice(start, read));
    if (file.isRegular() && read == file.size()) {
      first.position(start);
      return sized(request, headers, file, first, head, true);
    }
    return new DownloadPlan(
        200, headers, head ? new Body.Nothing() : new Body.Stream(filler, begun));
  }

  /// Decides about a file that is sent as it is, and of which all content is here.
  ///
  /// @param content its position is behind it on return if the body is `Buffered`, else as before
  static DownloadPlan ofContent(
      Headers request, String path, FileSource file, ByteBuffer content, boolean head) {
    String name = UploadAnswers.name(path);
    Headers headers = described(name);
    addType(headers, MediaTypes.ofName(name), content);
    return sized(request, headers, file, content, head, true);
  }

  private static Headers described(String name) {
    return Headers.of(
        "vary", "Accept-Encoding", "content-disposition", ContentDisposition.inline(name));
  }

  private static void addType(Headers headers, Optional<String> named, ByteBuffer content) {
    headers.add("content-type", named.orElseGet(() -> MediaTypes.ofContent(content)));
  }

  private static String sniff(FileSource file, ByteBuffer scratch) throws FileFailure {
    ByteBuffer begin = scratch.slice(scratch.position(), MediaTypes.SNIFFED_BYTES);
    file.read(begin, 0);
    return MediaTypes.ofContent(begin.flip());
  }

  /// A file of which the size is known, and perhaps all of the content.
  private static DownloadPlan sized(
      Headers request,
      Headers headers,
      FileSource file,
      ByteBuffer first,
      boolean head,
      boolean buffered) {
    long size = file.size();
    long modified = file.modifiedSecond();
    if (modified != 0) {
      headers.add("last-modified", Preconditions.format(modified));
    }
    switch (Preconditions.check(request, modified)) {
      case PROCEED -> {}
      case NOT_MODIFIED -> {
        headers.remove("content-type");
        return new DownloadPlan(304, headers, new Body.Nothing());
      }
      case FAILED -> {
        headers.remove("content-type");
        headers.add("content-length", "0");
        return new DownloadPlan(412, headers, new Body.Nothing());
      }
    }
    headers.add("accept-ranges", "bytes");
    String header = request.get("range");
    ByteRanges ranges =
        header == null || !Preconditions.rangeApplies(request, modified)
            ? ByteRanges.parse("bytes=", size)
            : ByteRanges.parse(header, size);
    return switch (ranges.outcome()) {
      case PARTS -> parts(headers, ranges.ranges(), size, head);
      case UNSATISFIABLE -> {
        headers.set("content-range", "bytes */" + size);
        yield unsatisfiable(headers, "invalid range: failed to overlap");
      }
      case MALFORMED -> unsatisfiable(headers, "invalid range");
      case WHOLE -> {
        headers.add("content-length", Long.toString(size));
        if (head || size == 0) {
          yield new DownloadPlan(200, headers, new Body.Nothing());
        }
        if (buffered) {
          first.position(first.position() + (int) size);
          yield new DownloadPlan(200, headers, new Body.Buffered());
        }
        yield new DownloadPlan(200, headers, new Body.Parts(List.of(new Part("", 0, size)), ""));
      }
    };
  }

  private static DownloadPlan unsatisfiable(Headers headers, String text) {
    headers.remove("content-disposition").remove("last-modified").remove("accept-ranges");
    headers
        .set("content-type", "text/plain; charset=utf-8")
        .add("x-content-type-options", "nosniff");
    String line = text + "\n";
    headers.add("content-length", Integer.toString(line.length()));
    return new DownloadPlan(416, headers, new Body.Text(line));
  }

  private static DownloadPlan parts(Headers headers, List<Range> ranges, long size, boolean head) {
    List<Part> parts = new ArrayList<>(ranges.size());
    long length = 0;
    String behind = "";
    if (ranges.size() == 1) {
      Range only = ranges.getFirst();
      headers.add("content-range", only.header(size));
      parts.add(new Part("", only.start(), only.length()));
      length = only.length();
    } else {
      HexFormat hex = HexFormat.of();
      ThreadLocalRandom random = ThreadLocalRandom.current();
      String boundary = hex.toHexDigits(random.nextLong()) + hex.toHexDigits(random.nextLong());
      String type = headers.get("content-type", MediaTypes.BINARY);
      headers.set("content-type", "multipart/byteranges; boundary=" + boundary);
      String separator = "";
      for (Range range : ranges) {
        String before =
            separator
                + "--"
                + boundary
                + "\r\nContent-Range: "
                + range.header(size)
                + "\r\nContent-Type: "
                + type
                + "\r\n\r\n";
        parts.add(new Part(before, range.start(), range.length()));
        length += before.getBytes(StandardCharsets.UTF_8).length + range.length();
        separator = "\r\n";
      }
      behind = "\r\n--" + boundary + "--\r\n";
      length += behind.length();
    }
    headers.add("content-length", Long.toString(length));
    return new DownloadPlan(
        206, headers, head ? new Body.Nothing() : new Body.Parts(parts, behind));
  }
}

package dev.sandpiper.agent.rest;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// Takes a multipart body (RFC 2046, section 5.1) apart while it comes in, cut anywhere. Holds nothing of the contents:
/// they are handed on as slices of what is fed.
///
/// A delimiter is `\r\n--boundary`, and a boundary holds no `\r`. So a match that fails after some bytes can begin anew
/// only at the byte that failed it, and what had matched is content: it lies in the buffer at hand, or, where the buffer
/// began inside of it, it is equal to the beginning of the delimiter.
///
/// Bounds: the headers of a part and the number of parts are limited; contents and what stands before the first part and
/// behind the last are not, and cost no memory. Not thread-safe.
///
/// @param <X> what the receiver may throw; the parser is of no use afterwards
final class MultipartParser<X extends Exception> {
  /// Room for a path of 4,096 bytes, each percent-encoded, and for what else clients send.
  static final int MAX_HEAD_BYTES = 32 * 1024;

  static final int MAX_PARTS = 10_000;

  private static final int LINE_BREAK = 2;
  private static final int MAX_BOUNDARY_BYTES = 70; // RFC 2046, section 5.1.1

  /// Receives the parts, one after the other.
  interface Receiver<X extends Exception> {
    void partBegins(PartHead head) throws X;

    /// Some of the content, never empty. Only valid during the call.
    void partContent(ByteBuffer content) throws X;

    void partEnds() throws X;
  }

  private enum State {
    PREAMBLE,
    DELIMITER_LINE,
    HEAD,
    CONTENT,
    EPILOGUE
  }

  private final Receiver<X> receiver;
  private final byte[] delimiter;
  private State state = State.PREAMBLE;

  /// How much of the delimiter has matched so far.
  private int matched = LINE_BREAK;

  /// How much of that was not read: at the very beginning, and directly behind a part's head, a delimiter needs no line
  /// break of its own.
  private int granted = LINE_BREAK;

  /// The rest of a delimiter's line, or the head of a part.
  private byte[] line = new byte[256];

  private int lineLength;
  private int parts;

  /// A parser at the beginning of a body.
  ///
  /// @throws MalformedMultipartException where there can be no such boundary
  MultipartParser(String boundary, Receiver<X> receiver) throws MalformedMultipartException {
    if (boundary.isEmpty() || boundary.length() > MAX_BOUNDARY_BYTES) {
      throw new MalformedMultipartException("the boundary is empty or too long");
    }
    for (int i = 0; i < boundary.length(); i++) {
      if (boundary.charAt(i) < ' ' || boundary.charAt(i) > '~') {
        throw new MalformedMultipartException("the boundary holds a character that none may hold");
      }
    }
    this.receiver = receiver;
    this.delimiter = ("\r\n--" + boundary).getBytes(StandardCharsets.US_ASCII);
  }

  /// Takes the next bytes of the body, all of them.
  void feed(ByteBuffer bytes) throws X, MalformedMultipartException {
    while (bytes.hasRemaining()) {
      switch (state) {
        case PREAMBLE, CONTENT -> scan(bytes);
        case DELIMITER_LINE -> delimiterLine(bytes.get());
        case HEAD -> head(bytes.get());
        case EPILOGUE -> bytes.position(bytes.limit());
      }
    }
  }

  /// The body is complete.
  ///
  /// @throws MalformedMultipartException where the last delimiter has not come yet
  void end() throws MalformedMultipartException {
    boolean closed =
        state == State.DELIMITER_LINE && lineLength == 2 && line[0] == '-' && line[1] == '-';
    if (state != State.EPILOGUE && !closed) {
      throw new MalformedMultipartException("unexpected EOF");
    }
  }

  /// Looks for the delimiter; hands on what is in front of it.
  private void scan(ByteBuffer bytes) throws X, MalformedMultipartException {
    int from = bytes.position();
    int limit = bytes.limit();
    int carried = matched; // of the delimiter, in an earlier buffer
    int at = from;
    while (at < limit) {
      if (matched == 0) {
        at = indexOfReturn(bytes, at, limit);
        if (at == limit) {
          break;
        }
      }
      byte b = bytes.get(at);
      if (b == delimiter[matched]) {
        matched++;
        at++;
        if (matched == delimiter.length) {
          content(bytes, from, at - matched);
          bytes.position(at);
          found();
          return;
        }
      } else {
        if (carried > 0) { // only now is it known that this was content
          content(ByteBuffer.wrap(delimiter), granted, carried);
          carried = 0;
        }
        granted = 0;
        matched = 0; // the byte itself is looked at again: it may begin a delimiter
        if (b != '\r') {
          at++;
        }
      }
    }
    content(bytes, from, limit - matched);
    bytes.position(limit);
  }

  private static int indexOfReturn(ByteBuffer bytes, int from, int limit) {
    int at = from;
    while (at < limit && bytes.get(at) != '\r') {
      at++;
    }
    return at;
  }

  private void content(ByteBuffer bytes, int from, int to) throws X {
    if (state == State.CONTENT && to > from) {
      receiver.partContent(bytes.slice(from, to - from));
    }
  }

  private void found() throws X {
    matched = 0;
    granted = 0;
    if (state == State.CONTENT) {
      receiver.partEnds();
    }
    state = State.DELIMITER_LINE;
    lineLength = 0;
  }

  /// What stands behind the boundary: nothing, or `--` for the last one, and white space.
  private void delimiterLine(byte b) throws MalformedMultipartException {
    if (lineLength < 2 || (b != ' ' && b != '\t')) {
      append(b);
    }
    if (lineLength == 2 && line[0] == '-' && line[1] == '-') {
      state = State.EPILOGUE;
    } else if (lineLength >= 2 && line[lineLength - 2] == '\r' && line[lineLength - 1] == '\n') {
      if (!new String(line, 0, lineLength, StandardCharsets.ISO_8859_1).isBlank()) {
        throw new MalformedMultipartException("a delimiter is followed by other text");
      }
      if (++parts > MAX_PARTS) {
        throw new MalformedMultipartException("there are more than " + MAX_PARTS + " parts");
      }
      state = State.HEAD;
      lineLength = 0;
    } else if (lineLength > 64) {
      throw new MalformedMultipartException("a delimiter is followed by other text");
    }
  }

  private void head(byte b) throws X, MalformedMultipartException {
    append(b);
    if (b == '\n' && endsHead()) {
      PartHead head = PartHead.parse(line, lineLength);
      state = State.CONTENT;
      matched = LINE_BREAK;
      granted = LINE_BREAK;
      lineLength = 0;
      receiver.partBegins(head);
    }
  }

  private boolean endsHead() {
    int n = lineLength;
    return (n == 2 && line[0] == '\r')
        || (n >= 4 && line[n - 2] == '\r' && line[n - 3] == '\n' && line[n - 4] == '\r');
  }

  private void append(byte b) throws MalformedMultipartException {
    if (lineLength == line.length) {
      if (lineLength >= MAX_HEAD_BYTES) {
        throw new MalformedMultipartException(
            "the headers of a part are longer than " + MAX_HEAD_BYTES + " bytes");
      }
      line = Arrays.copyOf(line, lineLength * 2);
    }
    line[lineLength++] = b;
  }
}

package dev.sandpiper.agent.service;

import dev.sandpiper.agent.output.Cursor;
import dev.sandpiper.agent.output.SegmentRef;
import dev.sandpiper.agent.output.StreamName;
import java.nio.ByteBuffer;

/// A cursor that always lies at the same bytes.
final class FixedCursor implements Cursor {
  private final byte[] bytes;

  FixedCursor(byte[] bytes) {
    this.bytes = bytes;
  }

  @Override
  public Step peek(int maxBytes) {
    return new Step.Data(StreamName.STDOUT, 0, Math.min(bytes.length, maxBytes), 0, 0);
  }

  @Override
  public int read(ByteBuffer direct) {
    int length = Math.min(bytes.length, direct.remaining());
    direct.put(bytes, 0, length);
    return length;
  }

  @Override
  public SegmentRef segment() {
    throw new UnsupportedOperationException("these bytes lie in no file");
  }

  @Override
  public long filePosition() {
    return 0;
  }

  @Override
  public void advance(int count) {}

  @Override
  public void skipGap() {}

  @Override
  public void skipMark() {}

  @Override
  public long offset(StreamName stream) {
    return 0;
  }

  @Override
  public void onWake(Runnable wake) {}

  @Override
  public void close() {}
}

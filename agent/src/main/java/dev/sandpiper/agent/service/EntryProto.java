package dev.sandpiper.agent.service;

import com.google.protobuf.CodedOutputStream;
import dev.sandpiper.agent.filesystem.Entry;
import dev.sandpiper.proto.filesystem.EntryInfo;
import java.io.IOException;

/// Entries as binary protobuf. A single one and an item of a list look the same: field 1, a message.
record EntryProto(boolean legacy) implements EntryWire {
  private static final int FIELD_1_MESSAGE = (1 << 3) | 2;

  @Override
  public void single(Entry entry, ByteBuilder out) {
    EntryInfo info = FilesystemMessages.info(entry, legacy);
    byte[] bytes = new byte[info.getSerializedSize()];
    byte[] size = new byte[CodedOutputStream.computeUInt32SizeNoTag(bytes.length)];
    try {
      CodedOutputStream.newInstance(size).writeUInt32NoTag(bytes.length);
      info.writeTo(CodedOutputStream.newInstance(bytes));
    } catch (IOException e) {
      throw new IllegalStateException("writing to memory failed", e);
    }
    out.add(FIELD_1_MESSAGE);
    out.add(size, size.length);
    out.add(bytes, bytes.length);
  }

  @Override
  public void item(Entry entry, int index, ByteBuilder out) {
    single(entry, out);
  }

  @Override
  public void end(int count, ByteBuilder out) {}
}

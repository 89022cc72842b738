package dev.sandpiper.agent.rpc;

import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/// A response message that the service has encoded itself, with the codec that [RpcAttributes#JSON] says: in memory, or,
/// where it is large, in a file from which it is sent as the client takes it.
///
/// Handed to `ServerCall.sendMessage` in place of the generated type. One from memory is compressed like any other; one
/// from a file is not, which every wire format allows.
public final class EncodedMessage {
  private final byte[] bytes;
  private final @Nullable FileChannel file;
  private final int length;
  private final Runnable release;

  private EncodedMessage(byte[] bytes, @Nullable FileChannel file, int length, Runnable release) {
    this.bytes = bytes;
    this.file = file;
    this.length = length;
    this.release = release;
  }

  /// The first `length` bytes, which are not to be changed any more.
  public static EncodedMessage inMemory(byte[] bytes, int length) {
    return new EncodedMessage(bytes, null, length, () -> {});
  }

  /// The first `length` bytes of a file.
  ///
  /// @param release called once, from any thread, when the file is no longer needed
  public static EncodedMessage inFile(FileChannel file, int length, Runnable release) {
    return new EncodedMessage(new byte[0], file, length, release);
  }

  public int length() {
    return length;
  }

  public byte[] bytes() {
    return bytes;
  }

  /// Null for one in memory.
  public @Nullable FileChannel file() {
    return file;
  }

  public void release() {
    release.run();
  }
}

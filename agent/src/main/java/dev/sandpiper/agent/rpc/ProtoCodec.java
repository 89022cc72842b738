package dev.sandpiper.agent.rpc;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import io.grpc.Status;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.io.InputStream;
import java.util.function.IntFunction;

/// Binary protobuf.
final class ProtoCodec implements Codec {
  @Override
  public String name() {
    return "proto";
  }

  @Override
  public boolean isJson() {
    return false;
  }

  @Override
  public Object decode(RpcMethod method, byte[] bytes) {
    try {
      return method.requestPrototype().getParserForType().parseFrom(bytes);
    } catch (InvalidProtocolBufferException e) {
      throw Status.INVALID_ARGUMENT
          .withDescription("unmarshal message: " + e.getMessage())
          .withCause(e)
          .asRuntimeException();
    }
  }

  @Override
  public byte[] encode(RpcMethod method, Object message) {
    if (message instanceof MessageLite proto) {
      return proto.toByteArray();
    }
    try (InputStream stream = method.descriptor().streamResponse(message)) {
      return stream.readAllBytes();
    } catch (IOException e) {
      throw new IllegalStateException("reading from memory failed", e);
    }
  }

  @Override
  public ByteBuf encode(RpcMethod method, Object message, IntFunction<ByteBuf> allocate) {
    if (!(message instanceof MessageLite proto)) {
      return Codec.super.encode(method, message, allocate);
    }
    int bytes = proto.getSerializedSize();
    ByteBuf buffer = allocate.apply(bytes);
    try {
      CodedOutputStream out =
          CodedOutputStream.newInstance(buffer.internalNioBuffer(buffer.writerIndex(), bytes));
      proto.writeTo(out);
      out.flush();
      return buffer.writerIndex(buffer.writerIndex() + bytes);
    } catch (IOException e) {
      buffer.release();
      throw new IllegalStateException("writing to memory failed", e);
    }
  }
}

package dev.sandpiper.agent.rpc;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.TypeRegistry;
import com.google.protobuf.util.JsonFormat;
import io.grpc.Status;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Protobuf's JSON mapping: lowerCamelCase, default values left out, unknown members ignored, no white space.
///
/// Its classes (`JsonFormat`, Gson) load with the first JSON message that is not plain ([PlainJson]), not at start.
final class JsonCodec implements Codec {
  private final Supplier<TypeRegistry> types;
  private final PlainJson plain = new PlainJson();
  private volatile @Nullable Format format;

  private record Format(TypeRegistry types, JsonFormat.Parser parser, JsonFormat.Printer printer) {}

  /// @param types what an `Any` may hold; asked for each message, may give another registry when services were added
  JsonCodec(Supplier<TypeRegistry> types) {
    this.types = types;
  }

  private Format format() {
    TypeRegistry now = types.get();
    Format last = format;
    if (last == null || !last.types.equals(now)) {
      last =
          new Format(
              now,
              JsonFormat.parser().ignoringUnknownFields().usingTypeRegistry(now),
              JsonFormat.printer().omittingInsignificantWhitespace().usingTypeRegistry(now));
      format = last;
    }
    return last;
  }

  @Override
  public String name() {
    return "json";
  }

  @Override
  public boolean isJson() {
    return true;
  }

  @Override
  public Object decode(RpcMethod method, byte[] bytes) {
    if (bytes.length == 0) {
      throw invalid("zero-length payload is not a valid JSON object", null);
    }
    if (!(method.requestPrototype() instanceof Message prototype)) {
      throw new IllegalStateException(method.path() + " has a request type without JSON mapping");
    }
    Message read = plain.read(prototype, bytes);
    if (read != null) {
      return read;
    }
    Message.Builder builder = prototype.newBuilderForType();
    String json = text(bytes);
    JsonMembers.check(json);
    try {
      format().parser.merge(json, builder);
      return builder.build();
    } catch (InvalidProtocolBufferException | RuntimeException e) {
      throw invalid("unmarshal message: " + e.getMessage(), e);
    }
  }

  /// Bytes that are not UTF-8 are refused: replaced, they would name another file or process than was meant.
  private static String text(byte[] bytes) {
    String json = new String(bytes, StandardCharsets.UTF_8);
    if (json.indexOf('\uFFFD') >= 0) { // which may also have been sent
      try {
        return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      } catch (CharacterCodingException e) {
        throw invalid("unmarshal message: invalid UTF-8", e);
      }
    }
    return json;
  }

  private static io.grpc.StatusRuntimeException invalid(String message, @Nullable Exception cause) {
    return Status.INVALID_ARGUMENT.withDescription(message).withCause(cause).asRuntimeException();
  }

  @Override
  public byte[] encode(RpcMethod method, Object message) {
    if (!(message instanceof MessageOrBuilder proto)) {
      throw new IllegalStateException(method.path() + " answered with a type without JSON mapping");
    }
    try {
      return format().printer.print(proto).getBytes(StandardCharsets.UTF_8);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("a response cannot be written as JSON: " + e.getMessage(), e);
    }
  }
}

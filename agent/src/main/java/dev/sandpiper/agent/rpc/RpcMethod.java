package dev.sandpiper.agent.rpc;

import com.google.protobuf.DescriptorProtos.MethodOptions.IdempotencyLevel;
import com.google.protobuf.MessageLite;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;

/// One method of one service.
public final class RpcMethod {
  private final MethodDescriptor<Object, Object> descriptor;
  private final ServerCallHandler<Object, Object> handler;
  private final Dispatch dispatch;
  private final Context context;
  private final LargeMessages largeMessages;
  private final MessageLite requestPrototype;
  private final MethodCounts counts = new MethodCounts();

  @SuppressWarnings(
      "unchecked") // nothing looks at the types: messages are told apart by what they are
  RpcMethod(
      ServerMethodDefinition<?, ?> definition,
      Dispatch dispatch,
      Context context,
      LargeMessages largeMessages) {
    this.descriptor = (MethodDescriptor<Object, Object>) definition.getMethodDescriptor();
    this.handler = (ServerCallHandler<Object, Object>) definition.getServerCallHandler();
    this.dispatch = dispatch;
    this.context = context;
    this.largeMessages = largeMessages;
    if (descriptor.getRequestMarshaller() instanceof PrototypeMarshaller<Object> marshaller
        && marshaller.getMessagePrototype() instanceof MessageLite prototype) {
      this.requestPrototype = prototype;
    } else {
      throw new IllegalArgumentException(
          descriptor.getFullMethodName() + ": only methods with protobuf requests can be hosted");
    }
  }

  public String path() {
    return "/" + descriptor.getFullMethodName();
  }

  public MethodDescriptor<Object, Object> descriptor() {
    return descriptor;
  }

  ServerCallHandler<Object, Object> handler() {
    return handler;
  }

  Dispatch dispatch() {
    return dispatch;
  }

  /// What the context of each call is made from.
  Context context() {
    return context;
  }

  /// The room that all calls share.
  LargeMessages largeMessages() {
    return largeMessages;
  }

  MethodCounts counts() {
    return counts;
  }

  MessageLite requestPrototype() {
    return requestPrototype;
  }

  public boolean isUnary() {
    return descriptor.getType() == MethodDescriptor.MethodType.UNARY;
  }

  /// Whether the schema says `idempotency_level = NO_SIDE_EFFECTS`, so that Connect may call it by GET. Loads the schema,
  /// which nothing else needs at run time: ask only when a GET comes.
  public boolean hasNoSideEffects() {
    return descriptor.isSafe()
        || (descriptor.getSchemaDescriptor() instanceof ProtoMethodDescriptorSupplier supplier
            && supplier.getMethodDescriptor().getOptions().getIdempotencyLevel()
                == IdempotencyLevel.NO_SIDE_EFFECTS);
  }
}

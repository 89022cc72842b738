package dev.sandpiper.agent.service;

import dev.sandpiper.agent.logs.LogFailure;
import dev.sandpiper.agent.logs.LogQueries;
import dev.sandpiper.proto.v1.LogQuery;
import dev.sandpiper.proto.v1.LogResponse;
import dev.sandpiper.proto.v1.LogsGrpc;
import io.grpc.BindableService;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerServiceDefinition;

/// `sandpiper.v1.Logs`: one query, its entries, and an end that says where to go on.
public final class LogsService implements BindableService {
  private final LogQueries logs;

  /// The service over these logs.
  public LogsService(LogQueries logs) {
    this.logs = logs;
  }

  @Override
  public ServerServiceDefinition bindService() {
    return ServerServiceDefinition.builder(LogsGrpc.getServiceDescriptor())
        .addMethod(LogsGrpc.getQueryMethod(), this::start)
        .build();
  }

  private ServerCall.Listener<LogQuery> start(
      ServerCall<LogQuery, LogResponse> call, Metadata headers) {
    LogsCall answer = new LogsCall(call, headers);
    return new FollowListener<>(call, answer, request -> begin(answer, request));
  }

  private void begin(LogsCall answer, LogQuery request) {
    try {
      answer.begin(logs.open(LogMessages.query(request)));
    } catch (LogFailure failure) {
      answer.close(LogMessages.status(failure));
    }
  }
}

package dev.sandpiper.agent.service;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.accounts.UnknownUserException;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.filesystem.watch.WatchEvent;
import dev.sandpiper.agent.filesystem.watch.WatchFailure;
import dev.sandpiper.agent.filesystem.watch.WatchRequest;
import dev.sandpiper.agent.filesystem.watch.Watchers;
import dev.sandpiper.agent.filesystem.watch.Watches;
import dev.sandpiper.proto.filesystem.CreateWatcherRequest;
import dev.sandpiper.proto.filesystem.CreateWatcherResponse;
import dev.sandpiper.proto.filesystem.FilesystemGrpc;
import dev.sandpiper.proto.filesystem.GetWatcherEventsRequest;
import dev.sandpiper.proto.filesystem.GetWatcherEventsResponse;
import dev.sandpiper.proto.filesystem.RemoveWatcherRequest;
import dev.sandpiper.proto.filesystem.RemoveWatcherResponse;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The four methods of `filesystem.Filesystem` that watch (contract, section 4.10).
public final class WatchService implements Consumer<ServerServiceDefinition.Builder> {
  private final Accounts accounts;
  private final Watches watches;
  private final Watchers watchers;

  public WatchService(Accounts accounts, Watches watches) {
    this.accounts = accounts;
    this.watches = watches;
    this.watchers = new Watchers(watches);
  }

  /// Adds the methods to the service they belong to.
  @Override
  public void accept(ServerServiceDefinition.Builder service) {
    service
        .addMethod(FilesystemGrpc.getWatchDirMethod(), new WatchDirHandler(this))
        .addMethod(FilesystemGrpc.getCreateWatcherMethod(), create())
        .addMethod(FilesystemGrpc.getGetWatcherEventsMethod(), new UnaryHandler<>(this::events))
        .addMethod(FilesystemGrpc.getRemoveWatcherMethod(), new UnaryHandler<>(this::remove));
  }

  /// Begins the watch of a streaming call.
  void open(
      ServerCall<?, ?> call,
      String path,
      boolean recursive,
      boolean includeEntry,
      boolean allowNetworkMounts,
      WatchCall to) {
    Meant meant = meant(call, path, recursive, includeEntry, allowNetworkMounts);
    if (meant.request == null) {
      to.fail(meant.refusal);
    } else {
      to.beginning(watches.open(meant.request, to));
    }
  }

  /// `CreateWatcher`, which needs to know the caller.
  private ServerCallHandler<CreateWatcherRequest, CreateWatcherResponse> create() {
    return (ServerCall<CreateWatcherRequest, CreateWatcherResponse> call, Metadata headers) ->
        new UnaryHandler<CreateWatcherRequest, CreateWatcherResponse>(
                (request, reply) -> create(call, request, reply))
            .startCall(call, headers);
  }

  private void create(
      ServerCall<?, ?> call, CreateWatcherRequest request, Reply<CreateWatcherResponse> reply) {
    Meant meant =
        meant(
            call,
            request.getPath(),
            request.getRecursive(),
            request.getIncludeEntry(),
            request.getAllowNetworkMounts());
    if (meant.request == null) {
      reply.fail(meant.refusal);
      return;
    }
    watchers.create(
        meant.request,
        new Watchers.Answer<>() {
          @Override
          public void is(String id) {
            reply.ok(CreateWatcherResponse.newBuilder().setWatcherId(id).build());
          }

          @Override
          public void failed(WatchFailure failure) {
            reply.fail(WatchFailures.status(failure));
          }
        });
  }

  private void events(GetWatcherEventsRequest request, Reply<GetWatcherEventsResponse> reply) {
    watchers.events(
        request.getWatcherId(),
        new Watchers.Answer<>() {
          @Override
          public void is(List<WatchEvent> events) {
            GetWatcherEventsResponse.Builder response = GetWatcherEventsResponse.newBuilder();
            events.forEach(event -> response.addEvents(WatchMessages.event(event)));
            reply.ok(response.build());
          }

          @Override
          public void failed(WatchFailure failure) {
            reply.fail(WatchFailures.status(failure));
          }
        });
  }

  private void remove(RemoveWatcherRequest request, Reply<RemoveWatcherResponse> reply) {
    try {
      watchers.remove(request.getWatcherId());
      reply.ok(RemoveWatcherResponse.getDefaultInstance());
    } catch (WatchFailure failure) {
      reply.fail(WatchFailures.status(failure));
    }
  }

  /// What a request means, or why it means nothing.
  private record Meant(@Nullable WatchRequest request, Status refusal) {}

  private Meant meant(
      ServerCall<?, ?> call,
      String path,
      boolean recursive,
      boolean includeEntry,
      boolean allowNetworkMounts) {
    try {
      User user = accounts.user(Calls.userName(call));
      String absolute = accounts.resolve(path, user);
      return new Meant(
          new WatchRequest(absolute, recursive, includeEntry, allowNetworkMounts, user), Status.OK);
    } catch (UnknownUserException unknown) {
      return new Meant(null, Status.UNAUTHENTICATED.withDescription(unknown.getMessage()));
    } catch (BadPathException bad) {
      return new Meant(null, Status.INVALID_ARGUMENT.withDescription(bad.getMessage()));
    }
  }
}

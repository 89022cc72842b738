package dev.sandpiper.agent.service;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.filesystem.Entries;
import dev.sandpiper.agent.filesystem.Entry;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.rpc.EncodedMessage;
import dev.sandpiper.proto.filesystem.FilesystemGrpc;
import dev.sandpiper.proto.filesystem.MakeDirRequest;
import dev.sandpiper.proto.filesystem.MoveRequest;
import dev.sandpiper.proto.filesystem.RemoveRequest;
import dev.sandpiper.proto.filesystem.RemoveResponse;
import dev.sandpiper.proto.filesystem.StatRequest;
import io.grpc.BindableService;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.nio.file.Path;
import java.util.function.Consumer;

/// `filesystem.Filesystem`, E2B's wire contract (section 4 of the contract), on our files. Requests are read on their
/// event loop; whatever touches a file is a task of `FileWork`, but for a look at what the kernel has in its cache.
public final class FilesystemService implements BindableService {
  private static final int ENTRY_BYTES = 512;

  private final Accounts accounts;
  private final Entries entries;
  private final Path directory;
  private final Consumer<ServerServiceDefinition.Builder> watching;

  /// @param directory of the agent's own, for the file of a long listing
  /// @param watching adds the four methods about watching
  public FilesystemService(
      Accounts accounts,
      Entries entries,
      Path directory,
      Consumer<ServerServiceDefinition.Builder> watching) {
    this.accounts = accounts;
    this.entries = entries;
    this.directory = directory;
    this.watching = watching;
  }

  @Override
  public ServerServiceDefinition bindService() {
    ServerServiceDefinition.Builder service =
        ServerServiceDefinition.builder(FilesystemGrpc.getServiceDescriptor());
    add(service, FilesystemGrpc.getStatMethod(), this::stat);
    add(service, FilesystemGrpc.getMakeDirMethod(), this::makeDir);
    add(service, FilesystemGrpc.getMoveMethod(), this::move);
    add(service, FilesystemGrpc.getListDirMethod(), new ListDirHandler(entries, directory));
    add(service, FilesystemGrpc.getRemoveMethod(), this::remove);
    watching.accept(service);
    return service.build();
  }

  /// Answers encode themselves: the engine takes an `EncodedMessage` in place of the generated type, and generics are
  /// gone at run time.
  @SuppressWarnings("unchecked")
  private <Q> void add(
      ServerServiceDefinition.Builder service,
      MethodDescriptor<Q, ?> method,
      FileHandler.Method<Q> handler) {
    service.addMethod(
        (MethodDescriptor<Q, Object>) method,
        new UnaryHandler<>(new FileHandler<>(accounts, entries.work(), handler)));
  }

  private void stat(StatRequest request, FileCall call) throws BadPathException {
    String path = call.resolve(request.getPath());
    Entry known = entries.statCached(path, call.user());
    if (known != null) {
      call.ok(encoded(call, known));
    } else {
      answerEntry(call, () -> entries.stat(path));
    }
  }

  private void makeDir(MakeDirRequest request, FileCall call) throws BadPathException {
    String path = call.resolve(request.getPath());
    answerEntry(call, () -> entries.makeDir(path, call.user()));
  }

  private void move(MoveRequest request, FileCall call) throws BadPathException {
    String source = call.resolve(request.getSource());
    String destination = call.resolve(request.getDestination());
    answerEntry(call, () -> entries.move(source, destination, call.user()));
  }

  private interface EntryTask {
    Entry run() throws FileFailure;
  }

  /// The answers of these three differ in name only.
  private static void answerEntry(FileCall call, EntryTask task) {
    call.submit(() -> encoded(call, task.run()), call::ok);
  }

  private static EncodedMessage encoded(FileCall call, Entry entry) {
    ByteBuilder bytes = new ByteBuilder(ENTRY_BYTES);
    call.wire().single(entry, bytes);
    return EncodedMessage.inMemory(bytes.array(), bytes.length());
  }

  private void remove(RemoveRequest request, FileCall call) throws BadPathException {
    if (request.getPath().isEmpty()) {
      call.fail(
          Status.INVALID_ARGUMENT.withDescription(
              "path is empty, which would mean the default directory: name what is to be removed"));
      return;
    }
    String path = call.resolve(request.getPath());
    call.submit(
        () -> {
          entries.remove(path);
          return RemoveResponse.getDefaultInstance();
        },
        call::ok);
  }
}

package dev.sandpiper.agent.service;

import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.filesystem.Entries;
import dev.sandpiper.agent.filesystem.FileFailure;
import dev.sandpiper.agent.filesystem.Listing;
import dev.sandpiper.agent.rpc.EncodedMessage;
import dev.sandpiper.proto.filesystem.ListDirRequest;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// ListDir: a listing that is encoded as it goes. One task is enough for most; a long one is left once, for its file to
/// be opened with the agent's own rights, and gone on with.
record ListDirHandler(Entries entries, Path directory)
    implements FileHandler.Method<ListDirRequest> {
  @Override
  public void handle(ListDirRequest request, FileCall call) throws BadPathException {
    String path = call.resolve(request.getPath());
    Run run = new Run(call, new EntryOutput(call, directory));
    call.submit(() -> run.step(entries.list(path, request.getDepth())), run::proceed);
  }

  /// Tasks and callbacks follow each other, so that no two threads are in it at once.
  private static final class Run {
    private final FileCall call;
    private final EntryOutput output;
    private @Nullable EncodedMessage answer;

    Run(FileCall call, EntryOutput output) {
      this.call = call;
      this.output = output;
    }

    /// Lists on. Closes the listing at its end and where it fails.
    Listing step(Listing here) throws FileFailure {
      boolean left = false;
      try {
        if (here.run(output)) {
          answer = output.finish();
        } else {
          left = true;
        }
        return here;
      } finally {
        if (!left) {
          here.close();
        }
        if (!left && answer == null) {
          output.discard();
        }
      }
    }

    void proceed(Listing here) {
      if (answer != null) {
        call.ok(answer);
        return;
      }
      Runnable giveUp =
          () -> {
            here.close();
            output.discard();
          };
      call.submit(
          call.self(),
          () -> {
            output.openFile();
            return here;
          },
          _ -> call.submit(call.user(), () -> step(here), this::proceed, giveUp),
          giveUp);
    }
  }
}

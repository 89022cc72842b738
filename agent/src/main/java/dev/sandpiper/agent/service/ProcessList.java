package dev.sandpiper.agent.service;

import dev.sandpiper.agent.process.ManagedProcess;
import dev.sandpiper.agent.process.ProcessManager;
import dev.sandpiper.proto.v1.ListRequest;
import dev.sandpiper.proto.v1.ListResponse;
import dev.sandpiper.proto.v1.ProcessInfo;
import dev.sandpiper.proto.v1.State;
import io.grpc.Status;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Set;
import java.util.regex.Pattern;

/// `List`: pages in the order of the starts. The token of a page is the id of its last process, so a page goes on rightly
/// whatever has been started, ended or deleted since.
final class ProcessList {
  private static final int MOST = 1_000;

  /// Clients take 4 MiB a message by default, and a command line can have 2 MiB.
  private static final int ENOUGH_BYTES = 1 << 20;

  private static final Pattern TOKEN = Pattern.compile("p[0-9a-z]{18}");

  private final ProcessManager processes;

  ProcessList(ProcessManager processes) {
    this.processes = processes;
  }

  void page(ListRequest request, Reply<ListResponse> reply) {
    String token = request.getPageToken();
    if (request.getLimit() < 0) {
      reply.fail(invalid("limit is " + request.getLimit() + ", it must not be negative"));
      return;
    }
    if (!token.isEmpty() && !TOKEN.matcher(token).matches()) {
      reply.fail(invalid("page_token '" + token + "' is none that an answer gave"));
      return;
    }
    Set<State> states = EnumSet.noneOf(State.class);
    for (State state : request.getStatesList()) {
      if (state == State.STATE_UNSPECIFIED || state == State.UNRECOGNIZED) {
        reply.fail(invalid("states holds one that there is not; name running, exited or ended"));
        return;
      }
      states.add(state);
    }
    reply.ok(page(request, states));
  }

  private ListResponse page(ListRequest request, Set<State> states) {
    int limit = request.getLimit() == 0 ? MOST : Math.min(request.getLimit(), MOST);
    Collection<ManagedProcess> from =
        request.getPageToken().isEmpty()
            ? processes.all()
            : processes.after(request.getPageToken());
    ListResponse.Builder page = ListResponse.newBuilder();
    int bytes = 0;
    for (ManagedProcess process : from) {
      if (!request.getTag().isEmpty()
          && !process.tag().equals(NativeRequests.given(request.getTag()))) {
        continue;
      }
      if (!states.isEmpty() && !states.contains(ProcessInfos.state(process))) {
        continue;
      }
      ProcessInfo info = ProcessInfos.of(process);
      bytes += info.getSerializedSize();
      int count = page.getProcessesCount();
      if (count == limit || (count > 0 && bytes > ENOUGH_BYTES)) {
        page.setNextPageToken(page.getProcesses(count - 1).getId());
        break;
      }
      page.addProcesses(info);
    }
    return page.build();
  }

  private static Status invalid(String what) {
    return Status.INVALID_ARGUMENT.withDescription(what);
  }
}

package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.telemetry.MetricsText;
import io.grpc.Status;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/// The numbers of all methods. A method appears with its first call, and a code with its first answer.
final class RpcMetrics {
  private RpcMetrics() {}

  static void write(Collection<RpcMethod> hosted, MethodCounts unknown, MetricsText text) {
    List<RpcMethod> methods =
        hosted.stream().sorted(Comparator.comparing(RpcMethod::path)).toList();
    text.counter("sandpiper_rpc_calls_total", "Calls that were answered, by method and code.");
    for (RpcMethod method : methods) {
      calls(text, method.path().substring(1), method.counts());
    }
    calls(text, "unknown", unknown);
    text.gauge("sandpiper_rpc_calls_in_flight", "Calls that have not been answered to the end.");
    for (RpcMethod method : methods) {
      if (wasCalled(method.counts())) {
        text.sample(method.counts().inFlight(), "method", method.path().substring(1));
      }
    }
  }

  private static void calls(MetricsText text, String name, MethodCounts counts) {
    for (Status.Code code : Status.Code.values()) {
      long count = counts.get(code);
      if (count > 0) {
        text.sample(count, "method", name, "code", Codes.connectName(code));
      }
    }
  }

  private static boolean wasCalled(MethodCounts counts) {
    boolean called = counts.inFlight() > 0;
    for (Status.Code code : Status.Code.values()) {
      called |= counts.get(code) > 0;
    }
    return called;
  }
}

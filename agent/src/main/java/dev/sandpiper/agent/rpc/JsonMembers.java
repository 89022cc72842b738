package dev.sandpiper.agent.rpc;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Refuses what protobuf's parser lets through: a member named twice in one object (the last one would win silently), and
/// anything behind the first value. Other mistakes are left to that parser, which names them better.
final class JsonMembers {
  private static final int MAX_DEPTH = 200; // the parser's own limit is 100

  private final String json;

  /// The members of each open object; null for an array.
  private final List<@Nullable Set<String>> open = new ArrayList<>();

  private boolean nameExpected;

  private JsonMembers(String json) {
    this.json = json;
  }

  /// Throws a `StatusRuntimeException` (`invalid_argument`) for what it refuses.
  static void check(String json) {
    new JsonMembers(json).scan();
  }

  private void scan() {
    for (int at = 0; at < json.length(); at++) {
      char c = json.charAt(at);
      switch (c) {
        case '"' -> at = string(at);
        case '{' -> push(new HashSet<>());
        case '[' -> push(null);
        case '}', ']' -> {
          if (pop()) {
            nothingBehind(at + 1);
            return;
          }
        }
        case ',' -> nameExpected = !open.isEmpty() && open.getLast() != null;
        default -> {}
      }
    }
  }

  /// Returns where the string ends.
  private int string(int start) {
    int at = start + 1;
    while (at < json.length() && json.charAt(at) != '"') {
      at += json.charAt(at) == '\\' ? 2 : 1;
    }
    Set<String> members = open.isEmpty() ? null : open.getLast();
    if (nameExpected && members != null && at < json.length()) {
      nameExpected = false;
      String name = json.substring(start + 1, at);
      if (!members.add(name)) {
        throw invalid("the member \"" + name + "\" appears twice");
      }
    }
    return at;
  }

  private void push(@Nullable Set<String> members) {
    if (open.size() == MAX_DEPTH) {
      throw invalid("more than " + MAX_DEPTH + " levels");
    }
    open.add(members);
    nameExpected = members != null;
  }

  /// Whether that was the end of the outermost value.
  private boolean pop() {
    if (open.isEmpty()) {
      return false;
    }
    open.removeLast();
    nameExpected = false;
    return open.isEmpty();
  }

  private void nothingBehind(int from) {
    if (!json.substring(from).isBlank()) {
      throw invalid("there is something behind the first value");
    }
  }

  private static StatusRuntimeException invalid(String what) {
    return Status.INVALID_ARGUMENT
        .withDescription("unmarshal message: " + what)
        .asRuntimeException();
  }
}

package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.launch.Stdio;
import dev.sandpiper.agent.process.StartSpec;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The body of a start: `{"command":"make","args":["-j4"],"cwd":"/src","env":{"CI":"1"}}`, all but `command` optional.
/// Members of other names are passed over.
record StartRequest(
    String command, List<String> args, Optional<String> cwd, Map<String, String> env) {

  /// Whether a content type says JSON; none does too.
  static boolean isJson(@Nullable String contentType) {
    if (contentType == null) {
      return true;
    }
    int semicolon = contentType.indexOf(';');
    String type = semicolon < 0 ? contentType : contentType.substring(0, semicolon);
    return type.strip().toLowerCase(Locale.ROOT).equals("application/json");
  }

  /// @throws Problem 400, naming the member
  static StartRequest parse(byte[] body) throws Problem {
    Json json;
    try {
      json = Json.parse(body);
    } catch (Json.Malformed malformed) {
      throw Problem.invalid(400, "the body is " + malformed.getMessage());
    }
    if (!(json instanceof Json.Members all)) {
      throw Problem.invalid(400, "the body is not a JSON object");
    }
    Json command = member(all, "command");
    if (command == null || text(command, "command").isEmpty()) {
      throw Problem.badParameter("command", "a command is required");
    }
    Json cwd = member(all, "cwd");
    return new StartRequest(
        text(command, "command"),
        list(member(all, "args")),
        cwd == null ? Optional.empty() : Optional.of(text(cwd, "cwd")),
        map(member(all, "env")));
  }

  /// What is asked for. There is no way to write to it here, so its standard input is empty.
  StartSpec spec(Optional<String> user, Optional<String> key) {
    return new StartSpec(
        command,
        args,
        env,
        cwd,
        user,
        Optional.empty(),
        new Stdio.Pipes(false),
        Optional.empty(),
        key,
        false);
  }

  private static @Nullable Json member(Json.Members all, String name) throws Problem {
    Json found = null;
    for (Json.Member member : all.members()) {
      if (member.name().equals(name)) {
        if (found != null) {
          throw Problem.badParameter(name, "it is given more than once");
        }
        found = member.value();
      }
    }
    return found instanceof Json.Nothing ? null : found;
  }

  private static String text(Json value, String name) throws Problem {
    if (value instanceof Json.Text text) {
      if (text.value().indexOf('\0') >= 0) {
        throw Problem.badParameter(name, "no program can be handed a NUL");
      }
      return text.value();
    }
    throw Problem.badParameter(name, "it is not a string");
  }

  private static List<String> list(@Nullable Json value) throws Problem {
    if (value == null) {
      return List.of();
    }
    if (!(value instanceof Json.Items items)) {
      throw Problem.badParameter("args", "it is not a list of strings");
    }
    List<String> texts = new ArrayList<>();
    for (Json item : items.items()) {
      texts.add(text(item, "args"));
    }
    return texts;
  }

  private static Map<String, String> map(@Nullable Json value) throws Problem {
    if (value == null) {
      return Map.of();
    }
    if (!(value instanceof Json.Members members)) {
      throw Problem.badParameter("env", "it is not an object of strings");
    }
    Map<String, String> variables = new LinkedHashMap<>();
    for (Json.Member member : members.members()) {
      String name = member.name();
      if (name.isEmpty() || name.indexOf('=') >= 0 || name.indexOf('\0') >= 0) {
        throw Problem.badParameter("env", "a name is empty, or holds '=' or NUL");
      }
      variables.put(name, text(member.value(), "env"));
    }
    return variables;
  }
}

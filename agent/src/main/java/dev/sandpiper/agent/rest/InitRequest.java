package dev.sandpiper.agent.rest;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The body of `POST /init` (contract, section 5.4). Absent and `null` are the same; empty names and paths are absent too.
///
/// @param variables replace all that were set; null leaves them
/// @param token null for none
/// @param timestamp of the request, as its sender says; null for none
/// @param caBundle certificates in PEM; null for none
/// @param volumes how many NFS volumes are asked for
/// @param forMicrovms names of the fields that mean something in a microVM only
record InitRequest(
    @Nullable Map<String, String> variables,
    @Nullable String token,
    @Nullable Instant timestamp,
    @Nullable String defaultUser,
    @Nullable String defaultWorkdir,
    @Nullable String caBundle,
    int volumes,
    List<String> forMicrovms) {

  /// The body says something that its fields cannot say. The message never holds values.
  static final class Bad extends Exception {
    private static final long serialVersionUID = 1L;

    Bad(String message) {
      super(message);
    }
  }

  static InitRequest parse(byte[] body) throws Bad {
    try {
      Json value = body.length == 0 ? new Json.Nothing() : Json.parse(body);
      return switch (value) {
        case Json.Nothing _ -> of(new Json.Members(List.of()));
        case Json.Members members -> of(members);
        case Json.Text _, Json.Numeral _, Json.Truth _, Json.Items _ ->
            throw new Bad("the body is no object");
      };
    } catch (Json.Malformed e) {
      throw new Bad(String.valueOf(e.getMessage()));
    }
  }

  private static InitRequest of(Json.Members fields) throws Bad {
    String lifecycle = text(fields, "lifecycleID");
    String hyperloop = text(fields, "hyperloopIP");
    return new InitRequest(
        variables(fields.find("envVars")),
        token(fields.find("accessToken")),
        timestamp(text(fields, "timestamp")),
        orNull(text(fields, "defaultUser")),
        orNull(text(fields, "defaultWorkdir")),
        orNull(text(fields, "caBundle")),
        volumes(fields.find("volumeMounts")),
        forMicrovms(lifecycle, hyperloop));
  }

  private static List<String> forMicrovms(@Nullable String lifecycle, @Nullable String hyperloop) {
    if (orNull(hyperloop) == null) {
      return orNull(lifecycle) == null ? List.of() : List.of("lifecycleID");
    }
    return orNull(lifecycle) == null
        ? List.of("hyperloopIP")
        : List.of("hyperloopIP", "lifecycleID");
  }

  private static @Nullable String text(Json.Members fields, String name) throws Bad {
    Json value = fields.find(name);
    if (value == null) {
      return null;
    }
    if (value instanceof Json.Text(String text, _)) {
      return text;
    }
    throw new Bad(name + " is no string");
  }

  private static @Nullable String orNull(@Nullable String text) {
    return text == null || text.isEmpty() ? null : text;
  }

  private static @Nullable String token(@Nullable Json value) throws Bad {
    if (value == null) {
      return null;
    }
    if (!(value instanceof Json.Text(String text, boolean escaped))) {
      throw new Bad("accessToken is no string");
    }
    if (text.isEmpty() || escaped) {
      throw new Bad("accessToken is empty or written with an escape");
    }
    return text;
  }

  private static @Nullable Map<String, String> variables(@Nullable Json value) throws Bad {
    if (value == null) {
      return null;
    }
    if (!(value instanceof Json.Members(List<Json.Member> members))) {
      throw new Bad("envVars is no object");
    }
    Map<String, String> variables = new LinkedHashMap<>();
    for (Json.Member member : members) {
      switch (member.value()) {
        case Json.Text(String text, _) -> variables.put(member.name(), text);
        case Json.Nothing _ -> variables.put(member.name(), "");
        case Json.Numeral _, Json.Truth _, Json.Items _, Json.Members _ ->
            throw new Bad("envVars holds something that is no string");
      }
    }
    return variables;
  }

  private static @Nullable Instant timestamp(@Nullable String text) throws Bad {
    if (text == null) {
      return null;
    }
    try {
      return OffsetDateTime.parse(text).toInstant();
    } catch (DateTimeException _) {
      throw new Bad("timestamp is no time of RFC 3339");
    }
  }

  private static int volumes(@Nullable Json value) throws Bad {
    if (value == null) {
      return 0;
    }
    if (value instanceof Json.Items(List<Json> items)) {
      return items.size();
    }
    throw new Bad("volumeMounts is no array");
  }

  /// Names are all that may be shown of it.
  @Override
  public String toString() {
    return "InitRequest";
  }
}

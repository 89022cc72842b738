package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.http.Headers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The one token that opens the agent, in memory only.
///
/// | state | who may call |
/// |---|---|
/// | open | everybody |
/// | awaited | nobody, until a token is set |
/// | set | who shows the token |
///
/// A token can be set and replaced, never taken away. Thread-safe; a change holds for every request that comes after it.
public final class AccessToken {
  /// The header that carries it, in lower case.
  public static final String HEADER = "x-access-token";

  private static final String KEY_HEADER = "x-api-key";

  private static final byte[] AWAITED = {};

  /// Null: open. The array is never changed.
  private volatile byte @Nullable [] token;

  private AccessToken(byte @Nullable [] token) {
    this.token = token;
  }

  /// Without a token: everybody may call.
  public static AccessToken open() {
    return new AccessToken(null);
  }

  /// Without a token so far: nobody may call.
  public static AccessToken awaited() {
    return new AccessToken(AWAITED);
  }

  public static AccessToken of(String token) {
    return new AccessToken(bytes(token));
  }

  /// From now on this one and no other. `value` must not be empty.
  public void set(String value) {
    token = bytes(value);
  }

  public boolean isSet() {
    byte[] now = token;
    return now != null && now.length > 0;
  }

  public boolean isAwaited() {
    byte[] now = token;
    return now != null && now.length == 0;
  }

  /// Whether `candidate` is the token; false while none is set. Takes a time that says nothing about the token.
  public boolean matches(String candidate) {
    byte[] now = token;
    return now != null && now.length > 0 && same(utf8(candidate), now);
  }

  /// Whether `value`, as it came in a header, is the token.
  boolean matchesHeader(String value) {
    byte[] now = token;
    return now != null && now.length > 0 && same(headerBytes(value), now);
  }

  /// What a request carries: null without the header, and something that is never the token if there are several.
  public static @Nullable String sent(Headers headers) {
    return only(headers.all(HEADER));
  }

  /// The same by the header of E2B's control plane.
  static @Nullable String sentAsKey(Headers headers) {
    return only(headers.all(KEY_HEADER));
  }

  private static @Nullable String only(List<String> values) {
    return switch (values.size()) {
      case 0 -> null;
      case 1 -> values.getFirst();
      default -> "";
    };
  }

  /// The token itself, for the agent that takes this one's place and for nobody else; null while none is set.
  public @Nullable String handDown() {
    byte[] now = token;
    return now == null || now.length == 0 ? null : new String(now, StandardCharsets.UTF_8);
  }

  /// For signatures.
  byte @Nullable [] bytes() {
    return token;
  }

  /// Takes a time that depends on the candidate's length and on nothing else.
  static boolean same(byte[] candidate, byte[] secret) {
    return MessageDigest.isEqual(candidate, secret);
  }

  /// Header values are characters of one byte each (RFC 9110, 5.5), whatever the client meant by them.
  static byte[] headerBytes(String value) {
    return value.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] bytes(String token) {
    if (token.isEmpty()) {
      throw new IllegalArgumentException("an access token is never empty");
    }
    return utf8(token);
  }

  @Override
  public String toString() {
    return isSet()
        ? "AccessToken[set]"
        : isAwaited() ? "AccessToken[awaited]" : "AccessToken[open]";
  }
}

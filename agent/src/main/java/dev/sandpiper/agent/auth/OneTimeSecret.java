package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.http.Headers;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// A secret that opens one thing once: the first `/init` that sets a token. Thread-safe.
public final class OneTimeSecret {
  /// The header that carries it, in lower case.
  public static final String HEADER = "x-sandpiper-init-secret";

  private final byte[] secret;
  private volatile boolean spent;

  OneTimeSecret(String secret) {
    this.secret = secret.getBytes(StandardCharsets.UTF_8);
  }

  /// Whether a request carries it, in one header, and it was not spent before. Takes a time that says nothing about it.
  boolean isShownBy(Headers headers) {
    List<String> sent = headers.all(HEADER);
    return sent.size() == 1
        && AccessToken.same(AccessToken.headerBytes(sent.getFirst()), secret)
        && !spent;
  }

  /// From now on nothing shows it.
  void spend() {
    spent = true;
  }

  @Override
  public String toString() {
    return "OneTimeSecret";
  }
}

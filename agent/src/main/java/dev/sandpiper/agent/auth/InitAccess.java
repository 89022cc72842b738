package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.http.Headers;
import org.jspecify.annotations.Nullable;

/// Who may do what `/init` does, and what becomes of the token (contract, section 5.4).
///
/// Before there is a token: everybody, or who shows the one-time secret if there is one. After it: whose body repeats the
/// token, and whose header shows it while the body brings another, which then replaces it. Nobody can take a token away.
///
/// One `/init` at a time: [#refusal] and [#accept] belong together.
public final class InitAccess {
  private final AccessToken token;
  private final @Nullable OneTimeSecret secret;

  public InitAccess(AccessToken token, @Nullable OneTimeSecret secret) {
    this.token = token;
    this.secret = secret;
  }

  /// Why a request is refused (401), or null.
  ///
  /// @param bodyToken the token in its body, null for none
  public @Nullable String refusal(Headers headers, @Nullable String bodyToken) {
    if (!token.isSet()) {
      return secret == null || secret.isShownBy(headers)
          ? null
          : "the first /init has to carry the secret that this agent was started with, in X-Sandpiper-Init-Secret";
    }
    if (bodyToken == null) {
      return "access token reset not authorized";
    }
    String shown = AccessToken.sent(headers);
    return token.matches(bodyToken) || (shown != null && token.matchesHeader(shown))
        ? null
        : "access token validation failed";
  }

  /// Whether an `/init` without a token would leave the agent closed.
  public boolean needsToken() {
    return token.isAwaited();
  }

  /// The token of a request that was not refused holds from now on. It also spends the secret.
  public void accept(String bodyToken) {
    token.set(bodyToken);
    if (secret != null) {
      secret.spend();
    }
  }
}

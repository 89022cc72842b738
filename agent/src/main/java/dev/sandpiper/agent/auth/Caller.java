package dev.sandpiper.agent.auth;

import dev.sandpiper.agent.http.HttpExchange;

/// The operating system user that a request acts as.
///
/// @param userName an entry of `/etc/passwd`
/// @param isDefault whether the request named nobody, so that the default user was taken
public record Caller(String userName, boolean isDefault) {
  /// Present on every exchange behind [BasicUserFilter].
  public static final HttpExchange.Attribute<Caller> ATTRIBUTE =
      new HttpExchange.Attribute<>("caller", Caller.class);
}

package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.accounts.Accounts;
import dev.sandpiper.agent.accounts.BadPathException;
import dev.sandpiper.agent.accounts.UnknownUserException;
import dev.sandpiper.agent.accounts.User;
import dev.sandpiper.agent.auth.AccessToken;
import dev.sandpiper.agent.auth.SignedUrls;
import dev.sandpiper.agent.http.BadQueryException;
import dev.sandpiper.agent.http.HttpExchange;
import dev.sandpiper.agent.http.Query;
import java.time.Instant;
import java.util.Optional;

/// The query of a request to `/files`.
///
/// @param path as the caller wrote it; empty where there is none
/// @param username empty where there is none, which is not the same as an empty one
record FilesRequest(Optional<String> path, Optional<String> username) {

  /// Reads the query, then checks the signature, if one is needed: the token filter lets `GET` and `POST` through.
  ///
  /// @param operation [SignedUrls#READ] or [SignedUrls#WRITE]
  /// @throws BadQueryException for an answer in plain text with status 400
  /// @throws Refusal 401
  static FilesRequest read(HttpExchange exchange, SignedUrls signatures, String operation)
      throws BadQueryException, Refusal {
    Query query = Query.parse(exchange.query());
    Optional<String> path = query.one("path");
    Optional<String> username = query.one("username");
    Optional<String> signature = query.one("signature");
    Optional<String> expiration = query.one("signature_expiration");
    String problem = SignedUrls.expirationProblem(expiration.orElse(null));
    if (problem != null) {
      throw new BadQueryException(problem);
    }
    String refusal =
        signatures.check(
            AccessToken.sent(exchange.requestHeaders()),
            signature.orElse(null),
            expiration.orElse(null),
            path.orElse(null),
            operation,
            username.orElse(null),
            Instant.now());
    if (refusal != null) {
      throw new Refusal(401, refusal);
    }
    return new FilesRequest(path, username);
  }

  /// The user whose home relative paths begin at and who gets what is made.
  static User user(Accounts accounts, Optional<String> username) throws Refusal {
    try {
      return accounts.user(username);
    } catch (UnknownUserException unknown) {
      throw new Refusal(
          401,
          username.isPresent()
              ? "error looking up user '"
                  + username.get()
                  + "': user: unknown user "
                  + username.get()
              : unknown.getMessage());
    }
  }

  /// The absolute path that `path` means for this user.
  static String resolve(Accounts accounts, String path, User user) throws Refusal {
    try {
      return accounts.resolve(path, user);
    } catch (BadPathException bad) {
      throw new Refusal(
          400, "error expanding and resolving path '" + path + "': " + bad.getMessage());
    }
  }
}

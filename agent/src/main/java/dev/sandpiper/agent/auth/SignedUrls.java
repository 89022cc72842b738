package dev.sandpiper.agent.auth;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Base64;
import org.jspecify.annotations.Nullable;

/// Lets whoever holds the token hand out a URL that reads or writes one path of `/files`, perhaps for a limited time.
///
/// The signature is `v1_` and the unpadded Base64 of the SHA-256 of `PATH:OPERATION:USER:TOKEN` or
/// `PATH:OPERATION:USER:TOKEN:EXPIRATION`, where path and user are the query's values, empty if absent (contract,
/// section 2.3). Thread-safe.
public final class SignedUrls {
  /// The operation of a download.
  public static final String READ = "read";

  /// The operation of an upload.
  public static final String WRITE = "write";

  private final AccessToken token;

  public SignedUrls(AccessToken token) {
    this.token = token;
  }

  /// Why a request to `/files` is refused, or null if it is allowed. The answer to a refusal is a 401 with this
  /// message.
  ///
  /// Every value is as decoded from the query, null where it is absent.
  ///
  /// @param headerToken what [AccessToken#sent] says
  /// @param expiration must have passed [#expirationProblem]
  /// @param path as the caller wrote it, not resolved
  /// @param operation [#READ] or [#WRITE]
  public @Nullable String check(
      @Nullable String headerToken,
      @Nullable String signature,
      @Nullable String expiration,
      @Nullable String path,
      String operation,
      @Nullable String username,
      Instant now) {
    byte[] secret = token.bytes();
    if (secret == null) {
      return null; // open to everybody
    }
    if (secret.length == 0) {
      return TokenFilter.AWAITED; // nothing can have been signed
    }
    if (headerToken != null) {
      return token.matchesHeader(headerToken)
          ? null
          : "access token present in header but does not match";
    }
    if (signature == null) {
      return "missing signature query parameter";
    }
    Long expires = expiration == null ? null : Long.valueOf(parseSeconds(expiration));
    String expected = signature(secret, expires, path, operation, username);
    if (!AccessToken.same(
        signature.getBytes(StandardCharsets.UTF_8), expected.getBytes(StandardCharsets.UTF_8))) {
      return "invalid signature";
    }
    if (expires != null && expires < now.getEpochSecond()) {
      return "signature is already expired";
    }
    return null;
  }

  /// What is wrong with a `signature_expiration`, to be answered as plain text with status 400 before anything else is
  /// looked at; null if it can be read or is absent.
  public static @Nullable String expirationProblem(@Nullable String expiration) {
    try {
      if (expiration != null) {
        parseSeconds(expiration);
      }
      return null;
    } catch (NumberFormatException _) {
      return "Invalid format for parameter signature_expiration: not a number of seconds";
    }
  }

  private static long parseSeconds(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean sign = i == 0 && (c == '-' || c == '+');
      if (!sign && (c < '0' || c > '9')) { // Long.parseLong takes the digits of every script
        throw new NumberFormatException("not a decimal number");
      }
    }
    return Long.parseLong(text);
  }

  private static String signature(
      byte[] secret,
      @Nullable Long expires,
      @Nullable String path,
      String operation,
      @Nullable String username) {
    MessageDigest digest = sha256();
    digest.update(utf8(orEmpty(path) + ":" + operation + ":" + orEmpty(username) + ":"));
    digest.update(secret);
    if (expires != null) {
      digest.update(utf8(":" + expires));
    }
    return "v1_" + Base64.getEncoder().withoutPadding().encodeToString(digest.digest());
  }

  private static String orEmpty(@Nullable String text) {
    return text == null ? "" : text;
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}

package dev.sandpiper.agent.auth;

import java.net.InetAddress;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Reads the host out of `Host` headers, and tells the loopback's names and addresses from others.
final class Authority {
  private Authority() {}

  /// Of `name`, `name:80`, `127.0.0.1:80` or `[::1]:80`, the host in lower case, without brackets and without the dot that
  /// may end a name; null for what is none of these.
  static @Nullable String host(String authority) {
    String host;
    String rest;
    if (authority.startsWith("[")) {
      int end = authority.indexOf(']');
      if (end < 0) {
        return null;
      }
      host = authority.substring(1, end);
      rest = authority.substring(end + 1);
      if (host.indexOf(':') < 0 || address(host) == null) {
        return null;
      }
    } else {
      int colon = authority.indexOf(':');
      host = colon < 0 ? authority : authority.substring(0, colon);
      rest = colon < 0 ? "" : authority.substring(colon);
      if (!isName(host)) {
        return null;
      }
    }
    boolean port = rest.startsWith(":") && rest.chars().skip(1).allMatch(c -> c >= '0' && c <= '9');
    return rest.isEmpty() || port ? normalized(host) : null;
  }

  /// Whether it means this machine to every resolver and browser: `localhost`, names below it (RFC 6761, 6.3), 127.0.0.0/8,
  /// `::1`.
  static boolean isLoopback(String host) {
    if (host.equals("localhost") || host.endsWith(".localhost")) {
      return true;
    }
    InetAddress address = address(host);
    return address != null && address.isLoopbackAddress();
  }

  /// Whether one of the patterns is this host, or `*.NAME` with a host below NAME.
  static boolean isAmong(List<String> patterns, String host) {
    for (String pattern : patterns) {
      if (pattern.startsWith("*.")
          ? host.length() > pattern.length() - 1 && host.endsWith(pattern.substring(1))
          : host.equals(pattern)) {
        return true;
      }
    }
    return false;
  }

  static boolean isPattern(String text) {
    String bare = text.startsWith("*.") ? text.substring(2) : normalized(text);
    return isName(bare) || (bare.indexOf(':') >= 0 && address(bare) != null);
  }

  /// As hosts are compared.
  static String normalized(String host) {
    String bare =
        host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
    if (bare.indexOf(':') >= 0) {
      InetAddress address = address(bare);
      return address == null ? bare : address.getHostAddress();
    }
    String lower = bare.toLowerCase(Locale.ROOT);
    return lower.endsWith(".") ? lower.substring(0, lower.length() - 1) : lower;
  }

  private static boolean isName(String text) {
    if (text.isEmpty() || text.equals(".")) {
      return false;
    }
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean good =
          (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || c == '-'
              || c == '_'
              || c == '.';
      if (!good) {
        return false;
      }
    }
    return true;
  }

  /// Never asks a resolver.
  private static @Nullable InetAddress address(String host) {
    char first = host.isEmpty() ? 'x' : host.charAt(0);
    if ((first < '0' || first > '9') && host.indexOf(':') < 0) {
      return null;
    }
    try {
      return InetAddress.ofLiteral(host);
    } catch (IllegalArgumentException _) {
      return null; // a name such as 1password.example
    }
  }
}

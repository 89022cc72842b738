package dev.sandpiper.agent.cli;

import java.net.URI;
import java.net.URISyntaxException;

/// Where an agent listens. `host` is a name or an address, IPv6 without brackets.
record AgentUrl(String host, int port) {
  static final int DEFAULT_PORT = 49_983;
  private static final int HTTP_PORT = 80;

  static AgentUrl local(int port) {
    return new AgentUrl("127.0.0.1", port);
  }

  /// Reads `http://HOST[:PORT]`. Throws `IllegalArgumentException` saying what is wrong with it.
  static AgentUrl parse(String text) {
    URI uri;
    try {
      uri = new URI(text);
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException("'" + text + "' is not a URL: " + e.getReason(), e);
    }
    if (!"http".equalsIgnoreCase(uri.getScheme())) {
      throw new IllegalArgumentException("'" + text + "' does not begin with http://");
    }
    var host = uri.getHost();
    if (host == null) {
      throw new IllegalArgumentException("'" + text + "' names no host");
    }
    var path = uri.getPath();
    if (!path.isEmpty() && !path.equals("/")) {
      throw new IllegalArgumentException("'" + text + "' has a path; an agent serves at the root");
    }
    var bare = host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
    return new AgentUrl(bare, uri.getPort() < 0 ? HTTP_PORT : uri.getPort());
  }

  /// The value of a `Host` header.
  String authority() {
    return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
  }

  @Override
  public String toString() {
    return "http://" + authority();
  }
}

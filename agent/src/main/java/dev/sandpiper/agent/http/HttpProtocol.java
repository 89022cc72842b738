package dev.sandpiper.agent.http;

/// The version of HTTP that a request came in.
public enum HttpProtocol {
  HTTP_1_0,
  HTTP_1_1,
  HTTP_2
}

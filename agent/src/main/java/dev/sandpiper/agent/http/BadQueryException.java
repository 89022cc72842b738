package dev.sandpiper.agent.http;

/// A query string does not say what a route needs to know. The message is for the caller; routes answer it as status 400
/// in plain text.
public final class BadQueryException extends Exception {
  private static final long serialVersionUID = 1L;

  private final String text;

  public BadQueryException(String message) {
    super(message);
    text = message;
  }

  @Override
  public String getMessage() {
    return text;
  }
}

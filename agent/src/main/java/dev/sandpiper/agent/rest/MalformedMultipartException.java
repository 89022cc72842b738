package dev.sandpiper.agent.rest;

/// A multipart body is not what it has to be, or larger in some respect than is allowed. The message is for the caller.
final class MalformedMultipartException extends Exception {
  private static final long serialVersionUID = 1L;

  private final String text;

  MalformedMultipartException(String message) {
    super(message);
    text = message;
  }

  @Override
  public String getMessage() {
    return text;
  }
}

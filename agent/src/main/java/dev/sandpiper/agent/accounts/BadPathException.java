package dev.sandpiper.agent.accounts;

/// A path of a request that cannot mean any file. The message is for the caller.
public final class BadPathException extends Exception {
  private static final long serialVersionUID = 1L;

  private final String text;

  BadPathException(String message) {
    super(message);
    text = message;
  }

  @Override
  public String getMessage() {
    return text;
  }
}

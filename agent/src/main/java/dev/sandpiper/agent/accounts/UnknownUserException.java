package dev.sandpiper.agent.accounts;

/// There is no account of the name. The message is for the caller.
public final class UnknownUserException extends Exception {
  private static final long serialVersionUID = 1L;

  private final String text;

  UnknownUserException(String message) {
    super(message);
    text = message;
  }

  @Override
  public String getMessage() {
    return text;
  }
}

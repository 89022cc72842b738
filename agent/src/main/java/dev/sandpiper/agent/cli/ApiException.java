package dev.sandpiper.agent.cli;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;

/// An agent refused a call, or ended it with an error. The message is the agent's own.
final class ApiException extends Exception {
  private static final long serialVersionUID = 1L;

  private static final int UNAUTHORIZED = 401;

  private final String code;

  ApiException(String code, String message) {
    super(message);
    this.code = code;
  }

  /// A Connect code, such as `not_found`.
  String code() {
    return code;
  }

  String text() {
    var message = getMessage();
    return message == null || message.isEmpty() ? code : message;
  }

  /// Reads `{"code":"not_found","message":"…"}`; what cannot be read becomes `unknown` and says the HTTP status.
  static ApiException ofBody(int status, String body) {
    try {
      var error = parse(body);
      var message = error.getFieldsOrDefault("message", NO_MESSAGE).getStringValue();
      if (status == UNAUTHORIZED && !error.getFieldsOrDefault("code", UNKNOWN).hasStringValue()) {
        return new ApiException(
            "unauthenticated",
            "the agent refuses the access token, or was shown none (SANDPIPER_ACCESS_TOKEN, --access-token-file): "
                + message);
      }
      // Plain HTTP errors have a number there.
      return error.getFieldsOrDefault("code", UNKNOWN).hasStringValue()
          ? ofError(error)
          : new ApiException("unknown", "HTTP status " + status + ": " + message);
    } catch (InvalidProtocolBufferException _) {
      var text = body.strip();
      return new ApiException(
          "unknown", "HTTP status " + status + (text.isEmpty() ? "" : ": " + text));
    }
  }

  static ApiException ofError(Struct error) {
    return new ApiException(
        error.getFieldsOrDefault("code", UNKNOWN).getStringValue(),
        error.getFieldsOrDefault("message", NO_MESSAGE).getStringValue());
  }

  static Struct parse(String json) throws InvalidProtocolBufferException {
    var struct = Struct.newBuilder();
    JsonFormat.parser().merge(json, struct);
    return struct.build();
  }

  private static final com.google.protobuf.Value UNKNOWN =
      com.google.protobuf.Value.newBuilder().setStringValue("unknown").build();
  private static final com.google.protobuf.Value NO_MESSAGE =
      com.google.protobuf.Value.newBuilder().setStringValue("").build();
}

package dev.sandpiper.tests.harness;

import java.util.Locale;

/// A call that ended with an error, whatever the wire format.
public final class RpcException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final String code;
  private final String detail;
  private final int httpStatus;

  /// @param code Connect's spelling, such as `not_found`
  /// @param httpStatus of the response that carried it
  public RpcException(String code, String detail, int httpStatus) {
    super(code + ": " + detail + " (HTTP " + httpStatus + ")");
    this.code = code;
    this.detail = detail;
    this.httpStatus = httpStatus;
  }

  static RpcException ofGrpc(int number, String detail, int httpStatus) {
    return new RpcException(
        io.grpc.Status.fromCodeValue(number)
            .getCode()
            .name()
            .toLowerCase(Locale.ROOT)
            .replace("cancelled", "canceled"),
        detail,
        httpStatus);
  }

  public String code() {
    return code;
  }

  public String detail() {
    return detail;
  }

  public int httpStatus() {
    return httpStatus;
  }
}

package dev.sandpiper.agent.rpc;

import io.grpc.Deadline;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Reads the two headers that limit a call's time.
public final class Deadlines {
  private static final int CONNECT_DIGITS = 10;
  private static final int GRPC_DIGITS = 8;
  private static final long MAX_NANOS =
      TimeUnit.DAYS.toNanos(365 * 100L); // more overflows a Deadline

  private Deadlines() {}

  /// `Connect-Timeout-Ms`: at most ten digits. 0 and negative numbers mean no timeout.
  ///
  /// @throws StatusRuntimeException `invalid_argument`
  public static @Nullable Deadline connect(@Nullable String header) {
    if (header == null) {
      return null;
    }
    String digits = header.startsWith("-") ? header.substring(1) : header;
    if (digits.isEmpty() || digits.length() > CONNECT_DIGITS || !isDigits(digits)) {
      throw invalid(
          "connect-timeout-ms: \"" + header + "\" is not an integer of at most 10 digits");
    }
    long millis = Long.parseLong(header);
    return millis <= 0 ? null : Deadline.after(millis, TimeUnit.MILLISECONDS);
  }

  /// `grpc-timeout`: at most eight digits and a unit.
  ///
  /// @throws StatusRuntimeException `invalid_argument`
  public static @Nullable Deadline grpc(@Nullable String header) {
    if (header == null) {
      return null;
    }
    int end = header.length() - 1;
    String digits = end < 0 ? "" : header.substring(0, end);
    TimeUnit unit = end < 0 ? null : unit(header.charAt(end));
    if (unit == null || digits.isEmpty() || digits.length() > GRPC_DIGITS || !isDigits(digits)) {
      throw invalid("grpc-timeout: \"" + header + "\" is not at most 8 digits and a unit");
    }
    long nanos = Math.min(unit.toNanos(Long.parseLong(digits)), MAX_NANOS);
    return Deadline.after(nanos, TimeUnit.NANOSECONDS);
  }

  private static @Nullable TimeUnit unit(char letter) {
    return switch (letter) {
      case 'H' -> TimeUnit.HOURS;
      case 'M' -> TimeUnit.MINUTES;
      case 'S' -> TimeUnit.SECONDS;
      case 'm' -> TimeUnit.MILLISECONDS;
      case 'u' -> TimeUnit.MICROSECONDS;
      case 'n' -> TimeUnit.NANOSECONDS;
      default -> null;
    };
  }

  private static boolean isDigits(String text) {
    return text.chars().allMatch(c -> c >= '0' && c <= '9');
  }

  private static StatusRuntimeException invalid(String message) {
    return Status.INVALID_ARGUMENT
        .withDescription("protocol error: " + message)
        .asRuntimeException();
  }
}

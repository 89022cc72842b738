package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.http.Headers;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// Which of the two content codings that exist here a download is sent in (contract, section 5.5).
///
/// The codings of `Accept-Encoding` are tried by weight, those of equal weight in their order; weight 0 forbids. `*` means
/// identity unless that is forbidden, then gzip. Where nothing fits, identity is taken unless it is forbidden. A weight
/// that cannot be read counts as 1.
enum ContentCodings {
  IDENTITY,
  GZIP;

  /// Ask for part of a file, or about its state: the answer is about the file's own bytes.
  private static final List<String> IDENTITY_ONLY =
      List.of("range", "if-modified-since", "if-none-match", "if-range");

  private record Weighted(String coding, double weight) {}

  /// Whether a request can only be answered with the file's own bytes.
  static boolean needsIdentity(Headers request) {
    return IDENTITY_ONLY.stream().anyMatch(request::contains);
  }

  /// Whether the answer to a request is the file's own bytes.
  static boolean sendsAsItIs(Headers request) {
    return !request.contains("accept-encoding")
        || (needsIdentity(request)
            ? isIdentityAllowed(request)
            : choose(request).equals(Optional.of(IDENTITY)));
  }

  /// The coding to use; empty where nothing that exists is acceptable.
  static Optional<ContentCodings> choose(Headers request) {
    String accepted = String.join(",", request.all("accept-encoding"));
    if (accepted.isBlank()) {
      return Optional.of(IDENTITY);
    }
    List<Weighted> wanted = parse(accepted);
    boolean identityAllowed = isIdentityAllowed(wanted);
    wanted.sort(Comparator.comparingDouble(Weighted::weight).reversed());
    for (Weighted each : wanted) {
      if (each.weight > 0) {
        switch (each.coding) {
          case "gzip", "x-gzip" -> {
            return Optional.of(GZIP);
          }
          case "identity" -> {
            return Optional.of(IDENTITY);
          }
          case "*" -> {
            return Optional.of(identityAllowed ? IDENTITY : GZIP);
          }
          default -> {} // one that does not exist here
        }
      }
    }
    return identityAllowed ? Optional.of(IDENTITY) : Optional.empty();
  }

  /// Whether the file's own bytes may be sent.
  static boolean isIdentityAllowed(Headers request) {
    return isIdentityAllowed(parse(String.join(",", request.all("accept-encoding"))));
  }

  private static boolean isIdentityAllowed(List<Weighted> wanted) {
    boolean anythingForbidden = false;
    for (Weighted each : wanted) {
      if (each.coding.equals("identity")) {
        return each.weight > 0;
      }
      anythingForbidden |= each.coding.equals("*") && each.weight == 0;
    }
    return !anythingForbidden;
  }

  private static List<Weighted> parse(String accepted) {
    List<Weighted> codings = new ArrayList<>();
    for (String element : accepted.split(",", -1)) {
      String[] parts = element.split(";", -1);
      String coding = parts[0].strip().toLowerCase(Locale.ROOT);
      if (!coding.isEmpty()) {
        double weight = 1;
        for (int i = 1; i < parts.length; i++) {
          String parameter = parts[i].strip();
          if (parameter.regionMatches(true, 0, "q=", 0, 2)) {
            weight = weight(parameter.substring(2).strip());
          }
        }
        codings.add(new Weighted(coding, weight));
      }
    }
    return codings;
  }

  private static double weight(String text) {
    try {
      double weight = Double.parseDouble(text);
      return weight >= 0 && weight <= 1 ? weight : 1;
    } catch (NumberFormatException _) {
      return 1;
    }
  }
}

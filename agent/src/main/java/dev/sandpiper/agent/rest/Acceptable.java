package dev.sandpiper.agent.rest;

import java.util.List;
import java.util.Locale;

/// Chooses among the types that a resource has what a client wants most, by its `Accept` header (RFC 9110, section 12.5.1).
final class Acceptable {
  private Acceptable() {}

  /// The type of the highest quality; of equal ones the first in `types`. The first one too when there is no header, or
  /// none of the types is wanted: an answer that may be of use beats a refusal.
  ///
  /// @param accept the header's values, one for each time it was sent
  /// @param types in lower case, without parameters
  static String best(List<String> accept, List<String> types) {
    String best = types.getFirst();
    double bestQuality = 0;
    for (String type : types) {
      double quality = quality(accept, type);
      if (quality > bestQuality) {
        best = type;
        bestQuality = quality;
      }
    }
    return best;
  }

  /// That of the range that names the type most exactly; of several that do so, the highest. 0 where none does.
  private static double quality(List<String> accept, String type) {
    String anySubtype = type.substring(0, type.indexOf('/')) + "/*";
    double quality = 0;
    int exactness = 0;
    for (String value : accept) {
      for (String range : value.split(",", -1)) {
        String[] parts = range.toLowerCase(Locale.ROOT).split(";", -1);
        String name = parts[0].strip();
        int exact =
            name.equals(type) ? 3 : name.equals(anySubtype) ? 2 : name.equals("*/*") ? 1 : 0;
        if (exact > 0 && exact >= exactness) {
          double own = quality(parts);
          quality = exact > exactness ? own : Math.max(own, quality);
          exactness = exact;
        }
      }
    }
    return quality;
  }

  private static double quality(String[] parts) {
    for (int i = 1; i < parts.length; i++) {
      String parameter = parts[i].strip();
      if (parameter.startsWith("q=")) {
        try {
          double quality = Double.parseDouble(parameter.substring(2).strip());
          return quality >= 0 && quality <= 1 ? quality : 1;
        } catch (NumberFormatException _) {
          return 1; // as if it were not there
        }
      }
    }
    return 1;
  }
}

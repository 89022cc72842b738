package dev.sandpiper.agent.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// Names and values in the order in which they came, names in lower case. A name may appear more than once.
///
/// A flat array and a linear search: requests carry about a dozen headers, and most are asked for once. Not
/// thread-safe.
public final class Headers {
  private String[] entries = new String[16];
  private int length;

  public Headers() {}

  /// Headers from `name, value, name, value, …`.
  public static Headers of(String... namesAndValues) {
    Headers headers = new Headers();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      headers.add(namesAndValues[i], namesAndValues[i + 1]);
    }
    return headers;
  }

  /// Appends, keeping entries of the same name.
  public Headers add(String name, String value) {
    return addLowerCase(name.toLowerCase(Locale.ROOT), value);
  }

  /// As `add`, for a name that is known to be in lower case already.
  public Headers addLowerCase(String name, String value) {
    if (length == entries.length) {
      entries = java.util.Arrays.copyOf(entries, length * 2);
    }
    entries[length++] = name;
    entries[length++] = value;
    return this;
  }

  /// Replaces every entry of this name.
  public Headers set(String name, String value) {
    remove(name);
    return add(name, value);
  }

  public Headers remove(String name) {
    String lower = name.toLowerCase(Locale.ROOT);
    int kept = 0;
    for (int i = 0; i < length; i += 2) {
      if (!entries[i].equals(lower)) {
        entries[kept] = entries[i];
        entries[kept + 1] = entries[i + 1];
        kept += 2;
      }
    }
    length = kept;
    return this;
  }

  /// The first value of a name in lower case, or null.
  public @Nullable String get(String name) {
    for (int i = 0; i < length; i += 2) {
      if (entries[i].equals(name)) {
        return entries[i + 1];
      }
    }
    return null;
  }

  /// The first value of a name in lower case, or the fallback.
  public String get(String name, String fallback) {
    String value = get(name);
    return value == null ? fallback : value;
  }

  /// Every value of a name in lower case, in order.
  public List<String> all(String name) {
    List<String> values = new ArrayList<>(2);
    for (int i = 0; i < length; i += 2) {
      if (entries[i].equals(name)) {
        values.add(entries[i + 1]);
      }
    }
    return values;
  }

  public boolean contains(String name) {
    return get(name) != null;
  }

  /// Whether one of the comma-separated values of a name is `token`, whatever its case.
  public boolean hasToken(String name, String token) {
    for (int i = 0; i < length; i += 2) {
      if (entries[i].equals(name)) {
        for (String part : entries[i + 1].split(",", -1)) {
          if (part.strip().equalsIgnoreCase(token)) {
            return true;
          }
        }
      }
    }
    return false;
  }

  public void addAll(Headers other) {
    other.forEach(this::addLowerCase);
  }

  public void forEach(BiConsumer<String, String> consumer) {
    for (int i = 0; i < length; i += 2) {
      consumer.accept(entries[i], entries[i + 1]);
    }
  }

  /// The number of entries.
  public int size() {
    return length / 2;
  }

  /// Name of entry `i`, from 0.
  public String name(int i) {
    return entries[i * 2];
  }

  /// Value of entry `i`, from 0.
  public String value(int i) {
    return entries[i * 2 + 1];
  }

  /// Names only: values may be secrets.
  @Override
  public String toString() {
    StringBuilder names = new StringBuilder("Headers[");
    forEach((name, _) -> names.append(name).append(' '));
    return names.append(']').toString();
  }
}

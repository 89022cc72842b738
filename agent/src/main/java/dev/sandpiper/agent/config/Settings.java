package dev.sandpiper.agent.config;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The values of all settings, resolved once: command line over environment over default. Immutable.
///
/// An empty environment variable counts as not set, as container tools like to make such; an empty value on the command
/// line is a value.
public final class Settings {
  /// What the environment names of all settings begin with.
  public static final String PREFIX = "SANDPIPER_";

  /// Names with the prefix that are no settings: read by the client commands, or
  /// set by an agent for the commands it runs (one of which may be another agent).
  private static final Set<String> OTHER_NAMES = Set.of("SANDPIPER_URL", "SANDPIPER_PROCESS_ID");

  private enum Source {
    FLAG("command line"),
    ENVIRONMENT("environment"),
    DEFAULT("default");

    private final String words;

    Source(String words) {
      this.words = words;
    }
  }

  private record Resolved<T>(Setting<T> setting, T value, Source source) {
    String rendered() {
      return setting.secret() && source == Source.DEFAULT
          ? setting.defaultText()
          : setting.render(value);
    }
  }

  private final Map<Setting<?>, Resolved<?>> resolved;
  private final List<Setting<?>> order;
  private final List<String> warnings;

  private Settings(
      Map<Setting<?>, Resolved<?>> resolved, List<Setting<?>> order, List<String> warnings) {
    this.resolved = resolved;
    this.order = order;
    this.warnings = warnings;
  }

  /// `flags` holds the values from the command line by the setting's name (`port`, without hyphens before it).
  ///
  /// Throws `BadSettingException` naming every setting with a bad value, and `IllegalArgumentException` when two settings
  /// share a name or a flag belongs to none or to a secret one, which are mistakes of the program, not of its user.
  public static Settings resolve(
      List<Setting<?>> known, Map<String, String> flags, Map<String, String> environment)
      throws BadSettingException {
    var names = new LinkedHashMap<String, Setting<?>>();
    for (var setting : known) {
      if (names.put(setting.name(), setting) != null) {
        throw new IllegalArgumentException("two settings are named " + setting);
      }
    }
    known.stream().filter(Setting::secret).map(Setting::name).forEach(names::remove);
    if (!names.keySet().containsAll(flags.keySet())) {
      throw new IllegalArgumentException("no such settings among " + flags.keySet());
    }
    var resolved = new IdentityHashMap<Setting<?>, Resolved<?>>();
    var problems = new ArrayList<String>();
    for (var setting : known) {
      try {
        resolved.put(setting, resolve(setting, flags.get(setting.name()), environment));
      } catch (IllegalArgumentException e) {
        problems.add(String.valueOf(e.getMessage()));
      }
    }
    if (!problems.isEmpty()) {
      throw new BadSettingException(problems);
    }
    return new Settings(resolved, List.copyOf(known), unknownNames(known, environment));
  }

  /// Every setting at its default; for tests.
  public static Settings defaults(List<Setting<?>> known) {
    try {
      return resolve(known, Map.of(), Map.of());
    } catch (BadSettingException e) {
      throw new IllegalStateException("a default is out of its own range", e);
    }
  }

  private static <T> Resolved<T> resolve(
      Setting<T> setting, @Nullable String flag, Map<String, String> environment) {
    if (flag != null) {
      return new Resolved<>(setting, parse(setting, flag, setting.flag()), Source.FLAG);
    }
    var variable = environment.getOrDefault(setting.variable(), "");
    if (!variable.isEmpty()) {
      return new Resolved<>(
          setting, parse(setting, variable, setting.variable()), Source.ENVIRONMENT);
    }
    return new Resolved<>(setting, setting.defaultValue(), Source.DEFAULT);
  }

  private static <T> T parse(Setting<T> setting, String text, String writtenAs) {
    try {
      return setting.parse(text);
    } catch (IllegalArgumentException e) {
      var value = setting.secret() ? "the secret value" : "'" + text + "'";
      throw new IllegalArgumentException(writtenAs + ": " + value + " " + e.getMessage(), e);
    }
  }

  private static List<String> unknownNames(
      List<Setting<?>> known, Map<String, String> environment) {
    var unknown = new TreeSet<String>();
    for (var name : environment.keySet()) {
      if (name.startsWith(PREFIX) && !OTHER_NAMES.contains(name)) {
        unknown.add(name);
      }
    }
    for (var setting : known) {
      unknown.remove(setting.variable());
    }
    return unknown.stream()
        .map(name -> "environment variable " + name + " names no setting and is ignored")
        .toList();
  }

  /// The value of a setting that was among those resolved; `IllegalArgumentException` for another one.
  public <T> T get(Setting<T> setting) {
    var found = resolved.get(setting);
    if (found == null) {
      throw new IllegalArgumentException(setting + " was not resolved");
    }
    @SuppressWarnings("unchecked") // put there by resolve(Setting<T>, …) under this very key
    var value = ((Resolved<T>) found).value;
    return value;
  }

  /// Sentences about variables that look like settings and are none, for the log.
  public List<String> warnings() {
    return warnings;
  }

  /// Name and value of each setting, in the order of declaration, as it would be written; secrets are hidden.
  public Map<String, String> effective() {
    var values = new LinkedHashMap<String, String>();
    for (var setting : order) {
      values.put(setting.name(), get0(setting).rendered());
    }
    return values;
  }

  /// One line for the log: `port=8080 (environment) listen=127.0.0.1 …`; what is at its default says nothing more.
  public String render() {
    return order.stream()
        .map(this::get0)
        .map(value ->
            value.setting.name()
                + "="
                + value.rendered()
                + (value.source == Source.DEFAULT ? "" : " (" + value.source.words + ")"))
        .collect(Collectors.joining(" "));
  }

  private Resolved<?> get0(Setting<?> setting) {
    var found = resolved.get(setting);
    if (found == null) {
      throw new IllegalStateException(setting + " was not resolved");
    }
    return found;
  }

  @Override
  public String toString() {
    return render();
  }
}

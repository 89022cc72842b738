package dev.sandpiper.agent.config;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// One thing that can be set: its name, how its values are written, what it is when nobody sets it, and why it exists.
///
/// A setting named `stall-limit` is `--stall-limit` on the command line and `SANDPIPER_STALL_LIMIT` in the environment. A
/// secret one is in the environment only, because every process of the machine can read a command line.
///
///     static final Setting<Duration> STALL_LIMIT =
///         Setting.time("stall-limit")
///             .between(Duration.ofMillis(100), Duration.ofHours(1))
///             .defaultsTo(Duration.ofSeconds(5))
///             .because("how long a reader that promises everything may hold a command without progress");
///
/// Immutable; two settings are the same only if they are the same object.
public final class Setting<T> {
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*");

  private final Builder<T> built;
  private final String reason;

  private Setting(Builder<T> built, String reason) {
    this.built = built;
    this.reason = reason;
  }

  /// A whole number.
  public static Builder<Integer> integer(String name) {
    return Builder.of(name, "NUMBER", Values::parseInt, String::valueOf, Comparator.naturalOrder());
  }

  /// A number of bytes, such as `65536` or `64MiB`. Never negative.
  public static Builder<Long> size(String name) {
    return Builder.of(
        name, "SIZE", Values::parseSize, Values::renderSize, Comparator.naturalOrder());
  }

  /// A length of time in whole milliseconds, such as `250ms` or `5s`. Never negative.
  public static Builder<Duration> time(String name) {
    return Builder.of(
        name, "TIME", Values::parseTime, Values::renderTime, Comparator.naturalOrder());
  }

  /// `true` or `false` (`yes`, `no`, `on`, `off`, `1` and `0` too); the flag alone means `true`.
  public static Builder<Boolean> bool(String name) {
    return Builder.of(name, "BOOLEAN", Values::parseBoolean, String::valueOf, null);
  }

  /// Any text that is not empty.
  public static Builder<String> text(String name) {
    return Builder.of(name, "TEXT", Setting::nonEmpty, Function.identity(), null);
  }

  /// A path, made absolute against the directory in which the program was started.
  public static Builder<Path> path(String name) {
    return Builder.of(name, "PATH", Setting::parsePath, Path::toString, null);
  }

  /// Texts separated by commas.
  public static Builder<List<String>> list(String name) {
    return Builder.of(
        name, "LIST", Values::parseList, elements -> String.join(",", elements), null);
  }

  /// One of a few words: the constants of `type` in lower case, with hyphens.
  public static <E extends Enum<E>> Builder<E> choice(String name, Class<E> type) {
    var constants = EnumSet.allOf(type);
    var words = constants.stream().map(Setting::word).collect(Collectors.joining(", "));
    Function<String, E> parser =
        text ->
            constants.stream()
                .filter(constant -> word(constant).equalsIgnoreCase(text))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("is not one of " + words));
    return Builder.of(name, "WORD", parser, Setting::word, null).range(words);
  }

  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static String nonEmpty(String text) {
    if (text.isEmpty()) {
      throw new IllegalArgumentException("is empty");
    }
    return text;
  }

  private static Path parsePath(String text) {
    try {
      return Path.of(nonEmpty(text)).toAbsolutePath().normalize();
    } catch (InvalidPathException e) {
      throw new IllegalArgumentException("is not a path: " + e.getReason(), e);
    }
  }

  /// Such as `stall-limit`.
  public String name() {
    return built.name;
  }

  /// Such as `--stall-limit`.
  public String flag() {
    return "--" + name();
  }

  /// Such as `SANDPIPER_STALL_LIMIT`.
  public String variable() {
    return Settings.PREFIX + name().toUpperCase(Locale.ROOT).replace('-', '_');
  }

  /// What stands for the value in a help text: `NUMBER`, `SIZE`, `TIME`, `BOOLEAN`, `TEXT`, `PATH`, `LIST` or `WORD`.
  public String placeholder() {
    return built.placeholder;
  }

  /// The default as it would be written, or a few words where it depends on the machine.
  public String defaultText() {
    return built.defaultText;
  }

  /// Which values are allowed, such as `100ms to 1h`; empty when any value of the kind is.
  public String range() {
    return built.range;
  }

  /// Why one would set it, in one line without a full stop.
  public String reason() {
    return reason;
  }

  /// How its user would write it: the flag, or the variable of a secret one.
  public String writtenAs() {
    return secret() ? variable() : flag();
  }

  /// Whether its value must never be shown, and is taken from the environment only.
  public boolean secret() {
    return built.secret;
  }

  /// Whether the flag may stand without a value.
  public boolean isSwitch() {
    return built.placeholder.equals("BOOLEAN");
  }

  /// Reads a value. Throws `IllegalArgumentException`, whose message completes the sentence "the value …".
  public T parse(String text) {
    var value = built.parser.apply(text);
    built.check.check(value);
    return value;
  }

  String render(T value) {
    return secret() ? "(secret)" : built.renderer.apply(value);
  }

  T defaultValue() {
    return built.defaultValue.get();
  }

  @Override
  public String toString() {
    return writtenAs();
  }

  private interface Check<T> {
    void check(T value);
  }

  /// A setting in the making; every method returns a new one. A setting without default cannot be made.
  public static final class Builder<T> {
    private final String name;
    private final String placeholder;
    private final Function<String, T> parser;
    private final Function<T, String> renderer;
    private final @Nullable Comparator<? super T> order;
    private final Supplier<T> defaultValue;
    private final String defaultText;
    private final Check<T> check;
    private final String range;
    private final boolean secret;

    private Builder(
        String name,
        String placeholder,
        Function<String, T> parser,
        Function<T, String> renderer,
        @Nullable Comparator<? super T> order,
        Supplier<T> defaultValue,
        String defaultText,
        Check<T> check,
        String range,
        boolean secret) {
      this.name = name;
      this.placeholder = placeholder;
      this.parser = parser;
      this.renderer = renderer;
      this.order = order;
      this.defaultValue = defaultValue;
      this.defaultText = defaultText;
      this.check = check;
      this.range = range;
      this.secret = secret;
    }

    private static <T> Builder<T> of(
        String name,
        String placeholder,
        Function<String, T> parser,
        Function<T, String> renderer,
        @Nullable Comparator<? super T> order) {
      if (!NAME.matcher(name).matches()) {
        throw new IllegalArgumentException("not a name for a setting: " + name);
      }
      Supplier<T> none =
          () -> {
            throw new IllegalStateException("--" + name + " has no default");
          };
      return new Builder<>(
          name, placeholder, parser, renderer, order, none, "", _ -> {}, "", false);
    }

    /// Both ends are allowed. Only for numbers, sizes and times.
    public Builder<T> between(T least, T most) {
      var comparator = order;
      if (comparator == null) {
        throw new IllegalStateException("--" + name + " has no order");
      }
      var text = renderer.apply(least) + " to " + renderer.apply(most);
      return check(
              value ->
                  comparator.compare(value, least) >= 0 && comparator.compare(value, most) <= 0,
              "is not within " + text)
          .range(text);
    }

    /// A further condition. `otherwise` completes the sentence "the value …".
    public Builder<T> check(Predicate<T> good, String otherwise) {
      Check<T> both =
          value -> {
            check.check(value);
            if (!good.test(value)) {
              throw new IllegalArgumentException(otherwise);
            }
          };
      return new Builder<>(
          name,
          placeholder,
          parser,
          renderer,
          order,
          defaultValue,
          defaultText,
          both,
          range,
          secret);
    }

    /// The allowed values in words, for help texts.
    public Builder<T> range(String text) {
      return new Builder<>(
          name,
          placeholder,
          parser,
          renderer,
          order,
          defaultValue,
          defaultText,
          check,
          text,
          secret);
    }

    public Builder<T> defaultsTo(T value) {
      var text = renderer.apply(value);
      return defaultsTo(() -> value, text.isEmpty() ? "none" : text);
    }

    /// A default that depends on the machine, computed once when the settings are resolved; `text` describes it.
    public Builder<T> defaultsTo(Supplier<T> value, String text) {
      return new Builder<>(
          name, placeholder, parser, renderer, order, value, text, check, range, secret);
    }

    /// The value is never shown: not in the log, not in an error, and not on a command line, where it cannot be given.
    public Builder<T> secret() {
      return new Builder<>(
          name,
          placeholder,
          parser,
          renderer,
          order,
          defaultValue,
          defaultText,
          check,
          range,
          true);
    }

    /// Absent unless set. Comes last, after checks and ranges.
    public Builder<Optional<T>> optional() {
      return new Builder<>(
          name,
          placeholder,
          text -> Optional.of(parser.apply(text)),
          value -> value.map(renderer).orElse("none"),
          null,
          Optional::empty,
          "none",
          value -> value.ifPresent(check::check),
          range,
          secret);
    }

    /// Makes the setting. `reason` says in one line, without a full stop, what it does and why one would set it.
    public Setting<T> because(String reason) {
      if (reason.isBlank() || reason.endsWith(".") || defaultText.isEmpty()) {
        throw new IllegalStateException("--" + name + " lacks a default or a reason of one line");
      }
      return new Setting<>(this, reason);
    }
  }
}

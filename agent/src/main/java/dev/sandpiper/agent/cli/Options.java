package dev.sandpiper.agent.cli;

import dev.sandpiper.agent.config.BadSettingException;
import dev.sandpiper.agent.config.SecretFile;
import dev.sandpiper.agent.config.Setting;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/// What the commands that speak to an agent have in common on the command line: which agent, which token, and how values
/// are written.
final class Options {
  static final String TOKEN_VARIABLE = "SANDPIPER_ACCESS_TOKEN";
  private static final String TOKEN_FILE = "--access-token-file";
  private static final String TOKEN_FILE_VARIABLE = "SANDPIPER_ACCESS_TOKEN_FILE";

  // Only for how their values are written; not among the settings of `serve`.
  private static final Setting<Duration> TIME =
      Setting.time("time")
          .between(Duration.ZERO, Duration.ofDays(36_500))
          .defaultsTo(Duration.ZERO)
          .because("parses a time");
  private static final Setting<Integer> PORT =
      Setting.integer("port")
          .between(1, 65_535)
          .defaultsTo(AgentUrl.DEFAULT_PORT)
          .because("parses a port");

  private final Map<String, String> environment;

  Options(Map<String, String> environment) {
    this.environment = environment;
  }

  /// The options by which an agent is named.
  static void addAgent(CommandSpec spec) {
    spec.addOption(text("--url", "URL", "The agent's address, such as http://127.0.0.1:49983."));
    spec.addOption(text("--port", "NUMBER", "The agent's port on 127.0.0.1."));
    spec.addOption(
        text(
            TOKEN_FILE,
            "PATH",
            "File with the agent's access token (" + TOKEN_FILE_VARIABLE + ")."));
  }

  static OptionSpec text(String name, String placeholder, String description) {
    return OptionSpec.builder(name)
        .paramLabel(placeholder)
        .arity("1")
        .type(String.class)
        .description(description)
        .build();
  }

  static OptionSpec flag(String name, String description) {
    return OptionSpec.builder(name).arity("0").type(boolean.class).description(description).build();
  }

  /// The agent that was named by an option or `SANDPIPER_URL`. Throws `IllegalArgumentException` naming what is wrong.
  Optional<AgentUrl> namedAgent(ParseResult result) {
    var url = value(result, "--url");
    var port = value(result, "--port");
    if (url.isPresent() && port.isPresent()) {
      throw new IllegalArgumentException("--url and --port exclude each other");
    }
    var named =
        url.or(() -> Optional.of(environment.getOrDefault("SANDPIPER_URL", "")))
            .filter(text -> !text.isEmpty());
    return port.map(text -> AgentUrl.local(read(PORT, text, "--port")))
        .or(() -> named.map(AgentUrl::parse));
  }

  /// The agent of this machine.
  AgentUrl usualAgent() {
    var usualPort = environment.getOrDefault("SANDPIPER_PORT", "");
    return AgentUrl.local(
        usualPort.isEmpty() ? AgentUrl.DEFAULT_PORT : read(PORT, usualPort, "SANDPIPER_PORT"));
  }

  AgentOptions agent(ParseResult result) {
    return new AgentOptions(namedAgent(result).orElseGet(this::usualAgent), token(result));
  }

  /// The option goes before the variables; the two of them exclude each other, as they do for `serve`.
  Optional<String> token(ParseResult result) {
    var option = value(result, TOKEN_FILE);
    var value = environment.getOrDefault(TOKEN_VARIABLE, "");
    var file = environment.getOrDefault(TOKEN_FILE_VARIABLE, "");
    if (option.isEmpty() && !value.isEmpty() && !file.isEmpty()) {
      throw new IllegalArgumentException(
          TOKEN_VARIABLE + " and " + TOKEN_FILE_VARIABLE + " exclude each other");
    }
    if (option.isEmpty() && !value.isEmpty()) {
      if (!SecretFile.fitsAHeader(value)) {
        throw new IllegalArgumentException(
            TOKEN_VARIABLE + ": the secret value " + SecretFile.NO_HEADER);
      }
      return Optional.of(value);
    }
    if (option.isEmpty() && file.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(
          SecretFile.read(
              option.isPresent() ? TOKEN_FILE : TOKEN_FILE_VARIABLE,
              Path.of(option.orElse(file)),
              new ArrayList<>()));
    } catch (BadSettingException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  static Optional<String> value(ParseResult result, String option) {
    @Nullable String value = result.matchedOptionValue(option, (String) null);
    return Optional.ofNullable(value);
  }

  static boolean isSet(ParseResult result, String option) {
    return result.matchedOptionValue(option, false);
  }

  /// What stands behind the options.
  static List<String> words(ParseResult result) {
    return result.matchedPositionalValue(0, List.of());
  }

  /// A duration such as `5s`.
  static Optional<Duration> time(ParseResult result, String option) {
    return value(result, option).map(text -> read(TIME, text, option));
  }

  static <T> T read(Setting<T> setting, String text, String name) {
    try {
      return setting.parse(text);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(name + ": '" + text + "' " + e.getMessage(), e);
    }
  }
}

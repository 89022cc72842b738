package dev.sandpiper.agent.cli;

import java.util.List;
import picocli.AutoComplete;
import picocli.CommandLine;

/// Scripts by which shells complete `sandpiper` command lines, made from the same list as the help texts.
final class Completion {
  static final List<String> SHELLS = List.of("bash", "zsh", "fish");
  private static final String NAME = "sandpiper";

  private Completion() {}

  /// Throws `IllegalArgumentException` for a shell that is not one of [#SHELLS].
  static String script(List<String> words, CommandLine line) {
    var shell = words.size() == 1 ? words.getFirst() : String.join(" ", words);
    return switch (shell) {
      // The script of bash switches zsh to bash's way of completing by itself.
      case "bash", "zsh" -> AutoComplete.bash(NAME, line);
      case "fish" -> fish(line);
      default -> throw new IllegalArgumentException("'" + shell + "' is not bash, zsh or fish");
    };
  }

  private static String fish(CommandLine line) {
    var script = new StringBuilder();
    script.append("complete -c ").append(NAME).append(" -n __fish_use_subcommand -f\n");
    line.getSubcommands()
        .forEach((name, command) -> {
          var description = command.getCommandSpec().usageMessage().description();
          script.append(
              "complete -c %s -n __fish_use_subcommand -f -a %s -d %s%n"
                  .formatted(NAME, name, quote(description)));
          for (var option : command.getCommandSpec().options()) {
            if (!option.hidden()) {
              script.append(
                  "complete -c %s -n '__fish_seen_subcommand_from %s' -l %s %s-d %s%n"
                      .formatted(
                          NAME,
                          name,
                          option.longestName().substring(2),
                          option.arity().max() > 0 ? "-r " : "",
                          quote(option.description())));
            }
          }
        });
    return script.toString();
  }

  private static String quote(String[] description) {
    var text = description.length == 0 ? "" : description[0];
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }
}

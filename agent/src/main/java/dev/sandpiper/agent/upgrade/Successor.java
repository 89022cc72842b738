package dev.sandpiper.agent.upgrade;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Exec;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.posix.Signals;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The program that takes this one's place: what the path of this agent's launcher leads to now, symbolic links and all, with
/// the arguments and the environment that this agent was started with.
///
/// The arguments and the environment are read back from the kernel, byte by byte as they were given; what is secret in the
/// environment has been wiped there and goes by the {@link Handover}.
public final class Successor {
  private static final String MAIN = "dev.sandpiper.agent.Main";
  private static final int STANDARD_OUTPUT = 1;
  private static final int STANDARD_ERROR = 2;

  private final String program;
  private final List<byte[]> arguments;
  private final int records;

  private Successor(String program, List<byte[]> arguments, int records) {
    this.program = program;
    this.arguments = arguments;
    this.records = records;
  }

  /// Looks for the successor.
  ///
  /// @param launcher the path that this agent was started by, absolute; null where it was started without an image
  /// @param records the descriptor that records are written to
  /// @throws IOException saying what is missing: there is nothing to execute then
  public static Successor find(@Nullable String launcher, int records) throws IOException {
    List<byte[]> own = strings("/proc/self/cmdline", true);
    if (launcher == null) {
      return new Successor("/proc/self/exe", own, records);
    }
    Path script = Path.of(launcher);
    Path home;
    try {
      home = script.toRealPath().resolve("../..").normalize();
    } catch (IOException notThere) {
      throw new IOException("there is nothing to execute: " + script + " does not exist", notThere);
    }
    for (Path needed : List.of(home.resolve("runtime/bin/java"), home.resolve("lib/jvm.options"))) {
      if (!Files.exists(needed)) {
        throw new IOException("there is nothing to execute: " + needed + " does not exist");
      }
    }
    if (!Files.isExecutable(script)) {
      throw new IOException("there is nothing to execute: " + script + " is not executable");
    }
    List<byte[]> arguments = new ArrayList<>();
    arguments.add(script.toString().getBytes(StandardCharsets.UTF_8));
    byte[] main = MAIN.getBytes(StandardCharsets.UTF_8);
    for (int i = own.size() - 1; i >= 0; i--) {
      if (Arrays.equals(own.get(i), main)) {
        arguments.addAll(own.subList(i + 1, own.size()));
        break;
      }
    }
    return new Successor(script.toString(), arguments, records);
  }

  /// What will be executed.
  public String program() {
    return program;
  }

  /// Executes it. Returns only when that fails, with the reason in words; then everything is as it was, and the descriptors of
  /// the handover are open.
  ///
  /// @param secret variables that must not be in its environment
  public String execute(Handover handover, Set<String> secret) {
    List<byte[]> environment = new ArrayList<>();
    try {
      for (byte[] variable : strings("/proc/self/environ", false)) {
        if (!isOneOf(variable, secret)) {
          environment.add(variable);
        }
      }
    } catch (IOException unreadable) {
      return "its environment: " + unreadable.getMessage();
    }
    int file = handover.file();
    if (file < 0) {
      return "what is handed over could not be written: " + Errno.describe(file);
    }
    environment.add((Handover.VARIABLE + "=" + file).getBytes(StandardCharsets.UTF_8));
    int error = Exec.closeOnExecFrom(STANDARD_ERROR + 1);
    if (error < 0) {
      Posix.close(file);
      return "descriptors could not be marked: " + Errno.describe(error);
    }
    Exec.setCloseOnExec(file, false);
    handover.open().forEach(fd -> Exec.setCloseOnExec(fd, false));
    boolean launcher = records != STANDARD_OUTPUT;
    if (launcher) {
      // bin/sandpiper takes its standard output for records and gives the JVM its standard error
      // instead.
      Exec.dupTo(records, STANDARD_OUTPUT);
    }
    // Until the next agent listens to it, this signal would end it.
    Exec.ignore(Signals.SIGUSR2);
    error = Exec.execute(program, arguments, environment);
    if (launcher) {
      Exec.dupTo(STANDARD_ERROR, STANDARD_OUTPUT);
    }
    handover.open().forEach(fd -> Exec.setCloseOnExec(fd, true));
    Posix.close(file);
    return program + ": " + Errno.describe(error);
  }

  private static boolean isOneOf(byte[] variable, Set<String> names) {
    int end = 0;
    while (end < variable.length && variable[end] != '=') {
      end++;
    }
    String name = new String(variable, 0, end, StandardCharsets.UTF_8);
    return names.contains(name) || name.equals(Handover.VARIABLE);
  }

  /// Strings that end with a NUL each. An argument may be empty; among variables those are what wiping has left behind.
  private static List<byte[]> strings(String file, boolean empty) throws IOException {
    byte[] bytes = Files.readAllBytes(Path.of(file));
    List<byte[]> strings = new ArrayList<>();
    int start = 0;
    for (int at = 0; at < bytes.length; at++) {
      if (bytes[at] == 0) {
        if (at > start || empty) {
          strings.add(Arrays.copyOfRange(bytes, start, at));
        }
        start = at + 1;
      }
    }
    return strings;
  }
}

package dev.sandpiper.tests.harness;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/// A user account of the machine that exists for one test class, with a home and a second group.
///
/// Needs root; without it the test that asks is skipped and says so.
public final class Account implements AutoCloseable {
  private final String name = "sp" + UUID.randomUUID().toString().substring(0, 8);
  private final String group = name + "x";

  public Account() {
    assumeTrue(isRoot(), "needs root, to make a second account");
    Shell.run("groupadd", group).requireSuccess();
    Shell.run("useradd", "-m", "-s", "/bin/sh", "-G", group, name).requireSuccess();
  }

  public static boolean isRoot() {
    return ProcFs.status(ProcessHandle.current().pid(), "Uid").startsWith("0\t0\t");
  }

  public String name() {
    return name;
  }

  /// Of the group besides the primary one.
  public String secondGroup() {
    return group;
  }

  public Path home() {
    return Path.of("/home", name);
  }

  public int uid() {
    try {
      return (Integer) Files.getAttribute(home(), "unix:uid");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// A command line that runs another as this account, with its groups and home.
  public String[] commandAs(String... command) {
    List<String> line =
        new ArrayList<>(
            List.of(
                "setpriv",
                "--reuid=" + name,
                "--regid=" + name,
                "--init-groups",
                "env",
                "HOME=" + home(),
                "USER=" + name));
    line.addAll(List.of(command));
    return line.toArray(String[]::new);
  }

  @Override
  public void close() {
    // 8: the account still runs something, which the agent's end is about to end; the account goes
    // all the same with -f.
    Shell.run("userdel", "-f", "-r", name);
    Shell.run("groupdel", group);
  }
}

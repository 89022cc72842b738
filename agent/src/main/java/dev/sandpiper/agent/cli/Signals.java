package dev.sandpiper.agent.cli;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.function.IntConsumer;

/// The signals that a terminal, a supervisor or a closing session sends to a command in the foreground, and the one that
/// has the agent replaced.
///
/// Only `sun.misc.Signal` can tell which signal came, and javac's warning about that class cannot be switched off line
/// by line; hence the reflection.
public final class Signals {
  static final int HUP = 1;
  static final int INT = 2;
  static final int PIPE = 13;
  static final int TERM = 15;
  private static final int USR2 = 12;
  private static final int WINCH = 28;

  private Signals() {}

  /// From now on calls `handler` with the number of each SIGHUP, SIGINT and SIGTERM, on a thread of the JVM's own for
  /// each, instead of ending the program. A signal that was ignored when the program started stays ignored.
  static void handle(IntConsumer handler) {
    Map.of("HUP", HUP, "INT", INT, "TERM", TERM)
        .forEach((name, number) -> handle(name, number, handler));
  }

  /// From now on calls `handler` at each SIGUSR2, on a thread of the JVM's own.
  public static void handleUpgrade(Runnable handler) {
    handle("USR2", USR2, _ -> handler.run());
  }

  /// From now on calls `handler` whenever the size of the terminal has changed.
  static void handleResize(Runnable handler) {
    handle("WINCH", WINCH, _ -> handler.run());
  }

  private static void handle(String name, int number, IntConsumer handler) {
    try {
      var signal = Class.forName("sun.misc.Signal");
      var type = Class.forName("sun.misc.SignalHandler");
      var proxy =
          Proxy.newProxyInstance(
              Signals.class.getClassLoader(),
              new Class<?>[] {type},
              (_, method, arguments) -> {
                if (method.getName().equals("handle")) {
                  handler.accept(number);
                  return null;
                }
                return method.invoke(handler, arguments); // equals, hashCode, toString
              });
      signal
          .getMethod("handle", signal, type)
          .invoke(null, signal.getConstructor(String.class).newInstance(name), proxy);
    } catch (ReflectiveOperationException e) {
      var cause = e instanceof InvocationTargetException ? e.getCause() : e;
      throw new IllegalStateException("cannot handle SIG" + name, cause);
    }
  }
}

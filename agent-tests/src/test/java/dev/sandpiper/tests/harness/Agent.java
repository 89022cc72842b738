package dev.sandpiper.tests.harness;

import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/// One [AgentProcess] for all tests of a class: register it in a static field.
public final class Agent implements BeforeAllCallback, AfterAllCallback {
  private final UnaryOperator<AgentProcess.Builder> options;
  private @Nullable AgentProcess process;

  private Agent(UnaryOperator<AgentProcess.Builder> options) {
    this.options = options;
  }

  public static Agent withDefaults() {
    return new Agent(builder -> builder);
  }

  public static Agent with(UnaryOperator<AgentProcess.Builder> options) {
    return new Agent(options);
  }

  public AgentProcess get() {
    if (process == null) {
      throw new IllegalStateException("the agent runs only while the class's tests do");
    }
    return process;
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    process = options.apply(AgentProcess.builder()).start();
  }

  @Override
  public void afterAll(ExtensionContext context) {
    if (process != null) {
      process.close();
    }
  }
}

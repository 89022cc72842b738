package dev.sandpiper.tests.harness;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/// How long every `await()` without a limit of its own waits: a machine that does other things too needs it, and a test
/// that passes does not. Found by JUnit itself through `META-INF/services`.
public final class Patience implements BeforeAllCallback {
  @Override
  public void beforeAll(ExtensionContext context) {
    Awaitility.setDefaultTimeout(Deadline.PATIENCE);
  }
}

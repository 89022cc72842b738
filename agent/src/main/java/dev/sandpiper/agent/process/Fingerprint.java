package dev.sandpiper.agent.process;

import dev.sandpiper.agent.journal.Bytes;
import dev.sandpiper.agent.launch.Stdio;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Optional;
import java.util.TreeMap;

/// Whether two requests for a start are the same one: a SHA-256 over everything that was asked for, so that the journal need
/// not hold an environment. Each part goes in with its length, and the form has a number: another form is another request.
final class Fingerprint {
  private static final byte FORM = 1;

  private final MessageDigest digest;

  private Fingerprint() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java has SHA-256", impossible);
    }
  }

  static Bytes of(StartSpec spec) {
    Fingerprint it = new Fingerprint();
    it.digest.update(FORM);
    it.add(spec.cmd());
    it.add(spec.args().size());
    spec.args().forEach(it::add);
    it.add(spec.environment().size());
    new TreeMap<>(spec.environment())
        .forEach((name, value) -> {
          it.add(name);
          it.add(value);
        });
    it.add(spec.cwd());
    it.add(spec.user());
    it.add(spec.tag());
    switch (spec.stdio()) {
      case Stdio.Pipes(boolean stdin) -> it.add(stdin ? 1 : 0);
      case Stdio.Terminal(var size) -> {
        it.add(2);
        it.add(size.columns());
        it.add(size.rows());
      }
    }
    it.add(spec.timeLimit().map(Duration::toMillis).orElse(0L));
    it.add(spec.ephemeral() ? 1 : 0);
    return Bytes.copyOf(it.digest.digest());
  }

  private void add(Optional<String> text) {
    add(text.isPresent() ? 1 : 0);
    text.ifPresent(this::add);
  }

  private void add(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    add(bytes.length);
    digest.update(bytes);
  }

  private void add(long number) {
    digest.update(ByteBuffer.allocate(Long.BYTES).putLong(number).flip());
  }
}

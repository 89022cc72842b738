package dev.sandpiper.agent;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Properties;

/// The version of this build, as its POM gives it.
public final class Version {
  private static final String RESOURCE = "version.properties";

  private Version() {}

  /// Such as `0.1.0`; never empty. Throws `IllegalStateException` in a build that lacks the resource.
  public static String current() {
    return Holder.VERSION;
  }

  /// Read once, when it is first asked for.
  private static final class Holder {
    static final String VERSION = read();
  }

  private static String read() {
    try (var in = Version.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new IllegalStateException("the build left out " + RESOURCE);
      }
      var properties = new Properties();
      properties.load(in);
      var version = properties.getProperty("version", "");
      if (version.isEmpty()) {
        throw new IllegalStateException(RESOURCE + " names no version");
      }
      return version;
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + RESOURCE, e);
    }
  }
}

package dev.sandpiper.agent.upgrade;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Exec;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// What one agent gives to the next, by name. A name that the next one does not know is passed over, and what it misses it does
/// without, so the two may be of different versions.
///
/// @param values texts, secrets among them
/// @param descriptors open files of this process; the receiver owns them
public record Handover(Map<String, String> values, Map<String, Integer> descriptors) {
  /// Where the next agent finds it: the number of the descriptor of a file.
  public static final String VARIABLE = "SANDPIPER_HANDOVER";

  private static final String HEAD = "sandpiper handover 1";
  private static final int MOST_BYTES = 16 << 20; // variables of the sandbox are most of it

  /// Copies the maps.
  public Handover {
    values = Map.copyOf(values);
    descriptors = Map.copyOf(descriptors);
  }

  /// What this process was handed when it was executed; empty where it was started in the usual way, and where the
  /// variable means nothing here.
  ///
  /// @throws IOException when there is something that cannot be read
  public static Optional<Handover> received(Map<String, String> environment) throws IOException {
    String number = environment.get(VARIABLE);
    if (number == null || !number.matches("[0-9]{1,9}")) {
      return Optional.empty();
    }
    int fd = Integer.parseInt(number);
    String target = Posix.readlink("/proc/self/fd/" + fd);
    if (target == null || !target.startsWith("/memfd:" + VARIABLE)) {
      return Optional.empty(); // inherited as a variable only, by whatever was started in between
    }
    Handover handover = read(fd);
    Posix.close(fd);
    for (int each : handover.descriptors.values()) {
      Exec.setCloseOnExec(each, true);
    }
    return Optional.of(handover);
  }

  /// The same with one more value.
  public Handover with(String name, String value) {
    Map<String, String> more = new TreeMap<>(values);
    more.put(name, value);
    return new Handover(more, descriptors);
  }

  /// A value of this name, or nothing.
  public Optional<String> value(String name) {
    return Optional.ofNullable(values.get(name));
  }

  /// All values whose names begin like this, by the rest of their names.
  public Map<String, String> valuesBelow(String prefix) {
    Map<String, String> below = new TreeMap<>();
    values.forEach((name, value) -> {
      if (name.startsWith(prefix)) {
        below.put(name.substring(prefix.length()), value);
      }
    });
    return below;
  }

  /// The same for descriptors.
  public Map<String, Integer> descriptorsBelow(String prefix) {
    Map<String, Integer> below = new TreeMap<>();
    descriptors.forEach((name, fd) -> {
      if (name.startsWith(prefix)) {
        below.put(name.substring(prefix.length()), fd);
      }
    });
    return below;
  }

  Collection<Integer> open() {
    return descriptors.values();
  }

  /// The file for the next program, close-on-exec as yet: its descriptor or `-errno`.
  int file() {
    byte[] bytes = bytes();
    int fd = Exec.memfd(VARIABLE);
    if (fd < 0) {
      return fd;
    }
    ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    while (buffer.hasRemaining()) {
      long written = Posix.write(fd, buffer);
      if (written <= 0) {
        Posix.close(fd);
        return written == 0 ? -Errno.EIO : (int) written;
      }
    }
    return fd;
  }

  private byte[] bytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeUTF(HEAD);
      out.writeInt(values.size());
      for (Map.Entry<String, String> value : values.entrySet()) {
        write(out, value.getKey());
        write(out, value.getValue());
      }
      out.writeInt(descriptors.size());
      for (Map.Entry<String, Integer> descriptor : descriptors.entrySet()) {
        write(out, descriptor.getKey());
        out.writeInt(descriptor.getValue());
      }
    } catch (IOException impossible) {
      throw new AssertionError("memory takes every byte", impossible);
    }
    return bytes.toByteArray();
  }

  private static void write(DataOutputStream out, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static Handover read(int fd) throws IOException {
    long length = Posix.lseek(fd, 0, Fcntl.SEEK_END);
    if (length < 0 || length > MOST_BYTES) {
      throw new IOException("the handover has an impossible length: " + length);
    }
    ByteBuffer buffer = ByteBuffer.allocateDirect((int) length);
    while (buffer.hasRemaining()) {
      long read = Posix.pread(fd, buffer, buffer.position());
      if (read <= 0) {
        throw new IOException("the handover cannot be read: " + Errno.describe(read));
      }
    }
    byte[] bytes = new byte[(int) length];
    buffer.flip().get(bytes);
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      if (!in.readUTF().equals(HEAD)) {
        throw new IOException("the handover is not of a version that is understood");
      }
      Map<String, String> values = new TreeMap<>();
      for (int left = in.readInt(); left > 0; left--) {
        values.put(text(in, bytes.length), text(in, bytes.length));
      }
      Map<String, Integer> descriptors = new TreeMap<>();
      for (int left = in.readInt(); left > 0; left--) {
        descriptors.put(text(in, bytes.length), in.readInt());
      }
      return new Handover(values, descriptors);
    }
  }

  private static String text(DataInputStream in, int most) throws IOException {
    int length = in.readInt();
    if (length < 0 || length > most) {
      throw new IOException("the handover is damaged");
    }
    return new String(in.readNBytes(length), StandardCharsets.UTF_8);
  }

  /// Values are secret.
  @Override
  public String toString() {
    return "Handover[" + values.keySet() + ", " + descriptors + "]";
  }
}

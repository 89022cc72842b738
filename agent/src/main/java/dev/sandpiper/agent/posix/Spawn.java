package dev.sandpiper.agent.posix;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// posix_spawn(3) with everything the agent's children need: an own session, default signal dispositions, an empty
/// signal mask, and no descriptor but those that were mapped.
///
/// One object per thread, used again and again; its native memory grows to the largest request and stays (at most
/// 256 KiB between starts). The order of calls for one child is {@link #arguments}, {@link #begin}, actions, {@link #start}.
/// Encoding comes first and by itself so that little is left to do while a thread has another user's identity.
/// Not thread-safe.
public final class Spawn {
  private static final long KEPT_BYTES = 256 * 1024;
  private static final long ACTIONS_BYTES = 256; // posix_spawn_file_actions_t has 80 in glibc
  private static final long POINTER = 8;

  // Freed with this object: a shared arena's close would stop every thread for a moment.
  private final MemorySegment actions = Arena.ofAuto().allocate(ACTIONS_BYTES, 16);
  private final MemorySegment pid = Arena.ofAuto().allocate(8, 8);
  private MemorySegment block = Arena.ofAuto().allocate(16 * 1024, 16);
  private long argv;
  private long envp;
  private int actionError;

  /// The functions, looked up once; the class is first touched when something is spawned.
  private static final class Library {
    static final int SETSIGDEF = 0x04;
    static final int SETSIGMASK = 0x08;
    static final int SETSID = 0x80;
    static final long ATTRIBUTES_BYTES = 1024; // posix_spawnattr_t has 336 in glibc
    static final long SIGNAL_SET_BYTES = 128;

    static final MemorySegment SPAWN = required("posix_spawn");
    static final MemorySegment INIT = required("posix_spawn_file_actions_init");
    static final MemorySegment DESTROY = required("posix_spawn_file_actions_destroy");
    static final MemorySegment ADD_DUP2 = required("posix_spawn_file_actions_adddup2");
    static final MemorySegment ADD_OPEN = required("posix_spawn_file_actions_addopen");
    static final MemorySegment ADD_CHDIR = required("posix_spawn_file_actions_addchdir_np");
    static final Optional<MemorySegment> ADD_CLOSE_FROM =
        Kernel.function("posix_spawn_file_actions_addclosefrom_np");
    static final MemorySegment ATTRIBUTES = attributes();

    private Library() {}

    static MemorySegment required(String name) {
      return Kernel.function(name)
          .orElseThrow(() ->
              new UnsupportedOperationException(
                  "the C library has no " + name + "; Sandpiper needs glibc 2.29 or later"));
    }

    /// The same for every child, and only read by posix_spawn, so one serves all threads.
    private static MemorySegment attributes() {
      Scratch scratch = Scratch.mine();
      MemorySegment attributes = Arena.global().allocate(ATTRIBUTES_BYTES, 16);
      MemorySegment signals = scratch.struct.asSlice(0, SIGNAL_SET_BYTES);
      check("posix_spawnattr_init", scratch, attributes, 0);
      check("posix_spawnattr_setflags", scratch, attributes, SETSIGDEF | SETSIGMASK | SETSID);
      signals.fill((byte) 0xFF);
      check("posix_spawnattr_setsigdefault", scratch, attributes, signals.address());
      signals.fill((byte) 0);
      check("posix_spawnattr_setsigmask", scratch, attributes, signals.address());
      return attributes;
    }

    private static void check(String name, Scratch scratch, MemorySegment attributes, long value) {
      int error = Kernel.function(required(name), scratch, attributes.address(), value, 0, 0, 0, 0);
      if (error != 0) {
        throw new IllegalStateException(name + " failed: " + Errno.describe(error));
      }
    }
  }

  /// Why children cannot be started on this system, or empty. Musl has no `gnu_get_libc_version`.
  public static Optional<String> unsupported() {
    if (Kernel.function("gnu_get_libc_version").isEmpty()) {
      return Optional.of("the C library is not glibc (musl is not supported)");
    }
    return Kernel.function("posix_spawn_file_actions_addchdir_np").isPresent()
        ? Optional.empty()
        : Optional.of("glibc is older than 2.29 (posix_spawn_file_actions_addchdir_np is missing)");
  }

  /// True where the C library can close descriptors in the child (`addclosefrom_np`, glibc 2.34). Elsewhere
  /// {@link #start} marks the agent's own close-on-exec instead (close_range(2), Linux 5.11).
  public static boolean closesInChild() {
    return Library.ADD_CLOSE_FROM.isPresent();
  }

  /// Encodes the argument vector and the environment, as `NAME=value`. The caller has refused NULs.
  public void arguments(List<String> arguments, Map<String, String> environment) {
    byte[][] strings = new byte[arguments.size() + environment.size()][];
    int count = 0;
    long bytes = (strings.length + 2) * POINTER;
    for (String argument : arguments) {
      strings[count++] = argument.getBytes(StandardCharsets.UTF_8);
    }
    for (Map.Entry<String, String> variable : environment.entrySet()) {
      String entry = variable.getKey() + '=' + variable.getValue();
      strings[count++] = entry.getBytes(StandardCharsets.UTF_8);
    }
    for (byte[] string : strings) {
      bytes += string.length + 1;
    }
    reserve(bytes);
    long base = block.address();
    long pointer = 0;
    long text = (strings.length + 2) * POINTER;
    for (int i = 0; i < strings.length; i++) {
      if (i == arguments.size()) {
        block.set(JAVA_LONG, pointer, 0);
        pointer += POINTER;
      }
      byte[] string = strings[i];
      block.set(JAVA_LONG, pointer, base + text);
      pointer += POINTER;
      MemorySegment.copy(string, 0, block, JAVA_BYTE, text, string.length);
      block.set(JAVA_BYTE, text + string.length, (byte) 0);
      text += string.length + 1;
    }
    if (strings.length == arguments.size()) {
      block.set(JAVA_LONG, pointer, 0);
      pointer += POINTER;
    }
    block.set(JAVA_LONG, pointer, 0);
    argv = base;
    envp = base + (arguments.size() + 1) * POINTER;
  }

  private void reserve(long bytes) {
    boolean tooSmall = block.byteSize() < bytes;
    boolean tooLarge = block.byteSize() > KEPT_BYTES && bytes <= KEPT_BYTES;
    if (tooSmall || tooLarge) {
      block = Arena.ofAuto().allocate(Long.highestOneBit(bytes) * 2, 16);
    }
  }

  /// Starts a new list of actions. Actions run in the child, in the order given, before the program.
  public void begin() {
    actionError = action(Library.INIT, 0, 0, 0, 0);
  }

  /// The child's `target` becomes the agent's `fd`.
  public void dup2(int fd, int target) {
    add(action(Library.ADD_DUP2, fd, target, 0, 0));
  }

  /// The child's `target` is opened by the child itself: a session leader that opens a terminal gets it as its own.
  public void open(int target, String path, int flags) {
    long address = Scratch.mine().path(path);
    add(
        Scratch.isError(address)
            ? (int) -address
            : action(Library.ADD_OPEN, target, address, flags, 0)); // glibc copies the path
  }

  /// The child's working directory.
  public void chdir(String path) {
    long address = Scratch.mine().path(path);
    add(Scratch.isError(address) ? (int) -address : action(Library.ADD_CHDIR, address, 0, 0, 0));
  }

  private int action(MemorySegment function, long a, long b, long c, long d) {
    return Kernel.function(function, Scratch.mine(), actions.address(), a, b, c, d, 0);
  }

  private void add(int error) {
    if (actionError == 0) {
      actionError = error;
    }
  }

  /// Starts the program; blocks until the child runs it (about 50 µs), as vfork(2) does. Answers the pid, or `-errno` of
  /// whatever failed: the clone, an action, or the execution. After a failure nothing of a child is left.
  public int start(String path) {
    try {
      if (actionError != 0) {
        return -actionError;
      }
      closeOthers();
      Scratch scratch = Scratch.mine();
      long program = scratch.path(path);
      if (Scratch.isError(program)) {
        return (int) program;
      }
      int error =
          Kernel.function(
              Library.SPAWN,
              scratch,
              pid.address(),
              program,
              actions.address(),
              Library.ATTRIBUTES.address(),
              argv,
              envp);
      return error == 0 ? pid.get(JAVA_INT, 0) : -error;
    } finally {
      action(Library.DESTROY, 0, 0, 0, 0);
    }
  }

  private void closeOthers() {
    if (Library.ADD_CLOSE_FROM.isPresent()) {
      int error = action(Library.ADD_CLOSE_FROM.get(), 3, 0, 0, 0);
      if (error != 0) {
        throw new IllegalStateException("addclosefrom_np failed: " + Errno.describe(error));
      }
    } else {
      // Everything the agent opens is close-on-exec already; this is for what a native library
      // opened without it.
      Kernel.syscall(Abi.CLOSE_RANGE, 3, 0xFFFFFFFFL, 4 /* CLOSE_RANGE_CLOEXEC */);
    }
  }

  /// Sets a signal's disposition back to the default (signal(2)), for `SIGCHLD`: an agent that was started with it
  /// ignored would never learn an exit status.
  public static void defaultDisposition(int signal) {
    Kernel.function(Library.required("signal"), Scratch.mine(), signal, 0, 0, 0, 0, 0);
  }
}

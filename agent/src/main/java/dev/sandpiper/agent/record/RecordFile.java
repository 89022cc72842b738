package dev.sandpiper.agent.record;

import dev.sandpiper.agent.posix.Errno;
import dev.sandpiper.agent.posix.Fcntl;
import dev.sandpiper.agent.posix.Posix;
import dev.sandpiper.agent.record.EmitterPosition.StreamPosition;
import java.io.IOException;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// Two mapped files: the batch that leaves now, and how far each process came. What is stored here survives the agent
/// without a system call, as the pages are the kernel's; it does not survive a power cut.
///
///     records:       header | list: positions behind the batch | slots: positions before it
///     records-batch: the bytes of the batch
///
/// | State | Means |
/// |---|---|
/// | EMPTY | the slots are right; batch and list are being made |
/// | PENDING | the batch may have left, in part; the list holds when it has |
/// | LEFT | the batch has left, and the list holds; the slots are being brought up to it |
/// | TORN | like LEFT, and a line of it was begun and not finished |
///
/// So at any moment either the slots are whole or the list is; and the bytes that are repeated after a crash are the
/// same bytes. Not thread-safe.
final class RecordFile implements AutoCloseable {
  static final int NO_SLOT = -1;

  /// Positions behind one batch: twice what a batch of short lives brings.
  static final int LISTED = 256;

  static final String NAME = "records";
  static final String BATCH_NAME = "records-batch";

  private static final long MAGIC = 0x6472_6352_7050_6153L; // "SaPpRcrd"
  private static final int VERSION = 1;
  private static final Set<StandardOpenOption> OPTIONS =
      Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.CREATE);

  // The header.
  private static final int AT_VERSION = 8;
  private static final int AT_STATE = 12;
  private static final int AT_LENGTH = 16;
  private static final int AT_WRITTEN = 20;
  private static final int AT_LISTED = 24;
  private static final int HEADER_BYTES = 4096;

  private static final int EMPTY = 0;
  private static final int PENDING = 1;
  private static final int LEFT = 2;
  private static final int TORN = 3;

  // A position. A slot with no flag is free.
  private static final int SLOT_BYTES = 160;
  private static final int AT_ID = 88;
  private static final int MOST_ID = SLOT_BYTES - AT_ID;
  private static final int USED = 1;
  private static final int STARTED = 2;
  private static final int ENDED = 4;
  private static final int TRUNCATED = 8;
  private static final int TOLD = 16;
  private static final int STDOUT_CONTINUED = 32;
  private static final int STDERR_CONTINUED = 64;

  private static final int LIST_BYTES = LISTED * SLOT_BYTES;
  private static final int CHUNK_SLOTS = 512;
  private static final int CHUNK_BYTES = CHUNK_SLOTS * SLOT_BYTES;
  private static final int FIRST_CHUNK = HEADER_BYTES + LIST_BYTES;

  private final Path path;
  private final Path batchPath;
  private final FileChannel channel;
  private final FileChannel batchChannel;
  private final ByteBuffer head;
  private final List<ByteBuffer> chunks = new ArrayList<>(1);
  private final ArrayDeque<Integer> free = new ArrayDeque<>();
  private final Map<String, Found> found = new LinkedHashMap<>();
  private final ByteBuffer scratch = ByteBuffer.allocate(SLOT_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private final CRC32C crc = new CRC32C();
  private final boolean fresh;
  private ByteBuffer batch;
  private int listed;

  /// What an earlier agent left of one process.
  ///
  /// @param told whether all of its records have left
  record Found(EmitterPosition position, boolean told, int slot) {}

  private RecordFile(
      Path path, Path batchPath, FileChannel channel, FileChannel batchChannel, boolean fresh)
      throws IOException {
    this.path = path;
    this.batchPath = batchPath;
    this.channel = channel;
    this.batchChannel = batchChannel;
    this.fresh = fresh;
    long size = Math.max(channel.size(), FIRST_CHUNK + CHUNK_BYTES);
    reserve(path, size);
    head = map(channel, 0, FIRST_CHUNK);
    reserve(batchPath, RecordBuffer.BATCH_BYTES);
    batch = map(batchChannel, 0, Math.toIntExact(batchChannel.size()));
    for (long at = FIRST_CHUNK; at + CHUNK_BYTES <= size; at += CHUNK_BYTES) {
      chunks.add(map(channel, at, CHUNK_BYTES));
    }
    if (fresh) {
      head.putInt(AT_VERSION, VERSION);
      head.putLong(0, MAGIC);
    }
  }

  /// Opens what an earlier agent left in the state directory, or begins anew. What is not understood is given another
  /// name, and `notes` tells.
  ///
  /// @throws IOException when there can be no such files here
  static RecordFile open(Path directory, List<String> notes) throws IOException {
    Path path = directory.resolve(NAME);
    Path batchPath = directory.resolve(BATCH_NAME);
    boolean fresh = !Files.exists(path, LinkOption.NOFOLLOW_LINKS) || !isOurs(path, notes);
    FileChannel channel = FileChannel.open(path, options());
    FileChannel batchChannel = null;
    try {
      batchChannel = FileChannel.open(batchPath, options());
      RecordFile file = new RecordFile(path, batchPath, channel, batchChannel, fresh);
      file.recover(notes);
      return file;
    } catch (IOException | RuntimeException failure) {
      channel.close();
      if (batchChannel != null) {
        batchChannel.close();
      }
      throw failure;
    }
  }

  private static Set<java.nio.file.OpenOption> options() {
    Set<java.nio.file.OpenOption> options = new java.util.HashSet<>(OPTIONS);
    options.add(LinkOption.NOFOLLOW_LINKS);
    return options;
  }

  private static boolean isOurs(Path path, List<String> notes) throws IOException {
    ByteBuffer start = ByteBuffer.allocate(AT_STATE).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel in = FileChannel.open(path, StandardOpenOption.READ)) {
      if (in.size() == 0) {
        return false; // The agent before this one came no further.
      }
      in.read(start);
    }
    long magic = start.getLong(0);
    if (magic == 0) {
      return false; // The same.
    }
    if (magic == MAGIC && start.getInt(AT_VERSION) == VERSION) {
      return true;
    }
    Path aside = path.resolveSibling(NAME + ".set-aside-" + System.currentTimeMillis());
    Files.move(path, aside);
    notes.add(
        "%s is not ours, or of another version; it is kept as %s, and records of an earlier agent's processes may come again"
            .formatted(path, aside));
    return false;
  }

  /// Room that is there: a store to a page without would be a SIGBUS when the disk is full.
  private static void reserve(Path path, long size) throws IOException {
    int fd = Posix.open(path.toString(), Fcntl.O_RDWR | Fcntl.O_CLOEXEC | Fcntl.O_NOFOLLOW, 0);
    if (fd < 0) {
      throw new IOException("cannot open %s: %s".formatted(path, Errno.describe(fd)));
    }
    try {
      int reserved = Posix.fallocate(fd, 0, size);
      if (reserved == -Errno.EOPNOTSUPP) {
        fill(path, fd, size);
      } else if (reserved < 0) {
        throw new IOException(
            "cannot make %s %d bytes long: %s".formatted(path, size, Errno.describe(reserved)));
      }
    } finally {
      Posix.close(fd);
    }
  }

  private static void fill(Path path, int fd, long size) throws IOException {
    ByteBuffer zeros = ByteBuffer.allocateDirect(HEADER_BYTES);
    for (long at = Posix.lseek(fd, 0, Fcntl.SEEK_END); at < size; ) {
      long count = Posix.pwrite(fd, zeros.clear().limit((int) Math.min(4096, size - at)), at);
      if (count <= 0) {
        throw new IOException(
            "cannot make %s %d bytes long: %s".formatted(path, size, Errno.describe(count)));
      }
      at += count;
    }
  }

  private static ByteBuffer map(FileChannel channel, long at, int length) throws IOException {
    return channel.map(FileChannel.MapMode.READ_WRITE, at, length).order(ByteOrder.LITTLE_ENDIAN);
  }

  private void recover(List<String> notes) {
    for (int slot = 0; slot < slots(); slot++) {
      if (!load(chunk(slot), at(slot), slot)) {
        clear(slot);
        free.addLast(slot);
      }
    }
    int state = head.getInt(AT_STATE);
    if (state == EMPTY) {
      return;
    }
    int count = Math.clamp(head.getInt(AT_LISTED), 0, LISTED);
    for (int i = 0; i < count; i++) {
      load(head, HEADER_BYTES + i * SLOT_BYTES, NO_SLOT);
    }
    for (var entry : List.copyOf(found.entrySet())) {
      Found it = entry.getValue();
      int slot = put(it.slot(), entry.getKey(), it.position(), it.told());
      found.put(entry.getKey(), new Found(it.position(), it.told(), slot));
    }
    if (state == PENDING && pending().length == 0) {
      notes.add(
          "%s is damaged: the records that were being written when the agent before this one stopped may be missing"
              .formatted(batchPath));
      state = LEFT;
    }
    if (state == LEFT) {
      head.putInt(AT_STATE, EMPTY);
    }
  }

  /// False when there is nothing, or a kill came in between (the list has it then).
  private boolean load(ByteBuffer from, int at, int slot) {
    from.get(at, scratch.array());
    int flags = scratch.getInt(4);
    int idLength = scratch.getInt(36);
    if ((flags & USED) == 0
        || idLength < 0
        || idLength > MOST_ID
        || scratch.getInt(0) != checksum()) {
      return false;
    }
    String id = new String(scratch.array(), AT_ID, idLength, StandardCharsets.UTF_8);
    EmitterPosition position =
        new EmitterPosition(
            scratch.getLong(8),
            scratch.getLong(16),
            scratch.getInt(24),
            (flags & TRUNCATED) != 0,
            (flags & STARTED) != 0,
            (flags & ENDED) != 0,
            stream(40, scratch.getInt(28), (flags & STDOUT_CONTINUED) != 0),
            stream(64, scratch.getInt(32), (flags & STDERR_CONTINUED) != 0));
    Found before = found.get(id);
    int known = before == null ? slot : before.slot();
    found.put(id, new Found(position, (flags & TOLD) != 0, known));
    return true;
  }

  private StreamPosition stream(int at, int parts, boolean continued) {
    return new StreamPosition(
        scratch.getLong(at), scratch.getLong(at + 8), scratch.getLong(at + 16), parts, continued);
  }

  /// Whether no agent that keeps positions was here before.
  boolean fresh() {
    return fresh;
  }

  /// What an earlier agent left, by process id; given once.
  Map<String, Found> takeFound() {
    Map<String, Found> given = Map.copyOf(found);
    found.clear();
    return given;
  }

  /// Whether the last line that an earlier agent wrote may not be whole.
  boolean torn() {
    int state = head.getInt(AT_STATE);
    return state == PENDING || state == TORN;
  }

  /// The lines that an earlier agent was writing: those that have left whole are not among them.
  byte[] pending() {
    if (head.getInt(AT_STATE) != PENDING) {
      return new byte[0];
    }
    int length = head.getInt(AT_LENGTH);
    int from = head.getInt(AT_WRITTEN);
    if (length <= 0 || length > batch.capacity() || from < 0 || from > length) {
      return new byte[0];
    }
    while (from > 0 && batch.get(from - 1) != '\n') {
      from--;
    }
    byte[] lines = new byte[length - from];
    batch.get(from, lines);
    return lines.length > 0 && (lines[0] != '{' || lines[lines.length - 1] != '\n')
        ? new byte[0]
        : lines;
  }

  /// Begins a batch; the positions behind it follow, then [#stage].
  void begin() {
    head.putInt(AT_STATE, EMPTY);
    VarHandle.releaseFence();
    listed = 0;
  }

  /// Where a process stands when the batch has left. At most [#LISTED] of them.
  void list(String id, EmitterPosition position, boolean told) {
    encode(id, position, told);
    head.put(HEADER_BYTES + listed * SLOT_BYTES, scratch.array());
    listed++;
  }

  /// Takes the bytes of the batch; from here on it will be repeated until [#left]. Null when there is no room for it, and
  /// nothing has changed then.
  @Nullable ByteBuffer stage(byte[] bytes, int length) {
    if (length > batch.capacity() && !growBatch(length)) {
      return null;
    }
    batch.put(0, bytes, 0, length);
    head.putInt(AT_LENGTH, length);
    head.putInt(AT_WRITTEN, 0);
    head.putInt(AT_LISTED, listed);
    VarHandle.releaseFence();
    head.putInt(AT_STATE, PENDING);
    return batch.slice(0, length);
  }

  private boolean growBatch(int length) {
    try {
      reserve(batchPath, length);
      batch = map(batchChannel, 0, length);
      return true;
    } catch (IOException _) {
      return false; // The caller writes it without.
    }
  }

  /// So many bytes of the batch have left.
  void written(int bytes) {
    head.putInt(AT_WRITTEN, bytes);
  }

  /// The batch has left, or is lost and counted; the listed positions hold. [#put] follows for each, then [#begin].
  void left(boolean torn) {
    head.putInt(AT_LISTED, listed);
    VarHandle.releaseFence();
    head.putInt(AT_STATE, torn ? TORN : LEFT);
    VarHandle.releaseFence();
  }

  /// Keeps a position. Answers the slot; [#NO_SLOT] when there is no room for another one.
  int put(int slot, String id, EmitterPosition position, boolean told) {
    int to = slot == NO_SLOT ? allocate() : slot;
    if (to != NO_SLOT) {
      encode(id, position, told);
      chunk(to).put(at(to), scratch.array());
    }
    return to;
  }

  /// Forgets a position.
  void release(int slot) {
    if (slot != NO_SLOT) {
      clear(slot);
      free.addFirst(slot);
    }
  }

  private void clear(int slot) {
    chunk(slot).putInt(at(slot) + 4, 0);
  }

  private int allocate() {
    if (free.isEmpty()) {
      try {
        long at = FIRST_CHUNK + (long) chunks.size() * CHUNK_BYTES;
        reserve(path, at + CHUNK_BYTES);
        chunks.add(map(channel, at, CHUNK_BYTES));
      } catch (IOException _) {
        return NO_SLOT; // The caller says it.
      }
      for (int slot = slots() - CHUNK_SLOTS; slot < slots(); slot++) {
        free.addLast(slot);
      }
    }
    return free.removeFirst();
  }

  private int slots() {
    return chunks.size() * CHUNK_SLOTS;
  }

  private ByteBuffer chunk(int slot) {
    return chunks.get(slot / CHUNK_SLOTS);
  }

  private static int at(int slot) {
    return slot % CHUNK_SLOTS * SLOT_BYTES;
  }

  private void encode(String id, EmitterPosition position, boolean told) {
    byte[] idBytes = id.getBytes(StandardCharsets.UTF_8);
    if (idBytes.length > MOST_ID) {
      throw new IllegalArgumentException("a process id has 64 characters at most: " + id);
    }
    Arrays.fill(scratch.array(), (byte) 0);
    scratch.putInt(
        4,
        USED
            | (position.started() ? STARTED : 0)
            | (position.ended() ? ENDED : 0)
            | (position.truncated() ? TRUNCATED : 0)
            | (told ? TOLD : 0)
            | (position.stdout().continued() ? STDOUT_CONTINUED : 0)
            | (position.stderr().continued() ? STDERR_CONTINUED : 0));
    scratch.putLong(8, position.seq());
    scratch.putLong(16, position.capBytesLeft());
    scratch.putInt(24, position.capRecordsLeft());
    scratch.putInt(28, position.stdout().parts());
    scratch.putInt(32, position.stderr().parts());
    scratch.putInt(36, idBytes.length);
    encode(40, position.stdout());
    encode(64, position.stderr());
    scratch.put(AT_ID, idBytes);
    scratch.putInt(0, checksum());
  }

  private void encode(int at, StreamPosition stream) {
    scratch.putLong(at, stream.offset());
    scratch.putLong(at + 8, stream.lineOffset());
    scratch.putLong(at + 16, stream.lineMicros());
  }

  private int checksum() {
    crc.reset();
    crc.update(scratch.array(), 4, SLOT_BYTES - 4);
    return (int) crc.getValue();
  }

  /// Leaves everything as it is. The mappings go when nobody refers to them any more.
  @Override
  public void close() {
    try {
      channel.close();
      batchChannel.close();
    } catch (IOException failure) {
      throw new java.io.UncheckedIOException("cannot close " + path, failure);
    }
  }
}

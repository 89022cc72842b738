package dev.sandpiper.agent.filesystem;

import dev.sandpiper.agent.posix.FileNames;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// The names of one directory, sorted by their bytes, in little memory: 5 bytes and the name each, in place of the 80
/// that an object would take. A listing of 100,000 names of ordinary length keeps 2 to 3 MiB.
final class NameList {
  /// A name is found by chunk and offset in one `int`, so a chunk has 64 KiB.
  private static final int CHUNK_BITS = 16;

  private static final int CHUNK_BYTES = 1 << CHUNK_BITS;

  /// What the first chunk has: most directories are small.
  private static final int SMALL_BYTES = 2048;

  private final List<byte[]> chunks = new ArrayList<>(1);
  private byte[] last = new byte[SMALL_BYTES];
  private int used; // of the last chunk
  private int[] names = new int[32];
  private int count;

  NameList() {
    chunks.add(last);
  }

  /// Copies a name of at most 255 bytes.
  void add(byte[] name, int length) {
    if (used + 1 + length > last.length) {
      grow(length);
    }
    if (count == names.length) {
      names = Arrays.copyOf(names, count * 2);
    }
    names[count++] = ((chunks.size() - 1) << CHUNK_BITS) | used;
    last[used] = (byte) length;
    System.arraycopy(name, 0, last, used + 1, length);
    used += 1 + length;
  }

  private void grow(int length) {
    if (last.length < CHUNK_BYTES) {
      int wanted = Math.max(last.length * 4, used + 1 + length);
      last = Arrays.copyOf(last, Math.min(CHUNK_BYTES, wanted));
      chunks.set(chunks.size() - 1, last);
      if (used + 1 + length <= last.length) {
        return;
      }
    }
    last = new byte[CHUNK_BYTES];
    chunks.add(last);
    used = 0;
  }

  int size() {
    return count;
  }

  /// What it holds in memory, about.
  long bytes() {
    return (chunks.size() - 1L) * CHUNK_BYTES + last.length + 4L * names.length;
  }

  String get(int index) {
    int at = names[index];
    byte[] chunk = chunks.get(at >>> CHUNK_BITS);
    int offset = at & (CHUNK_BYTES - 1);
    return FileNames.decode(chunk, offset + 1, chunk[offset] & 0xFF);
  }

  /// Sorts by unsigned bytes, a shorter name before those that it begins.
  void sort() {
    names = Arrays.copyOf(names, count);
    int[] from = names;
    int[] to = new int[count];
    for (int width = 1; width < count; width *= 2) { // merges runs, which need no stack
      for (int start = 0; start < count; start += 2 * width) {
        merge(from, to, start, Math.min(start + width, count), Math.min(start + 2 * width, count));
      }
      int[] sorted = to;
      to = from;
      from = sorted;
    }
    names = from;
  }

  private void merge(int[] from, int[] to, int start, int middle, int end) {
    int left = start;
    int right = middle;
    for (int i = start; i < end; i++) {
      boolean takeLeft = right >= end || (left < middle && compare(from[left], from[right]) <= 0);
      to[i] = takeLeft ? from[left++] : from[right++];
    }
  }

  private int compare(int a, int b) {
    byte[] chunkA = chunks.get(a >>> CHUNK_BITS);
    byte[] chunkB = chunks.get(b >>> CHUNK_BITS);
    int atA = a & (CHUNK_BYTES - 1);
    int atB = b & (CHUNK_BYTES - 1);
    return Arrays.compareUnsigned(
        chunkA,
        atA + 1,
        atA + 1 + (chunkA[atA] & 0xFF),
        chunkB,
        atB + 1,
        atB + 1 + (chunkB[atB] & 0xFF));
  }
}

package dev.sandpiper.agent.output;

import dev.sandpiper.agent.posix.FileStatus;
import dev.sandpiper.agent.posix.Posix;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The files that an earlier agent left of one process.
///
/// The length of a segment is the truth. The index may lack its tail, as it is written in batches: what it does not speak of comes
/// back as one entry per stream, with the time of the file's last change. Bytes, and their order within a stream, are always
/// right; their interleaving at the tail is not known.
final class Remains {
  private static final Logger LOG = LoggerFactory.getLogger(Remains.class);

  private record Found(String path, long start, long length, long modifiedMicros) {
    long end() {
      return start + length;
    }
  }

  private final String processId;
  private final String directory;
  private final Map<StreamName, List<Found>> segments = new EnumMap<>(StreamName.class);
  private final List<FileName> indexFiles = new ArrayList<>(0);
  private long lastModified;

  Remains(String processId, String directory) {
    this.processId = processId;
    this.directory = directory;
  }

  /// What lies in a directory, by process id. Files that are none of ours are left alone.
  static Map<String, Remains> find(Path directory) {
    Map<String, Remains> found = new HashMap<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
      for (Path file : files) {
        FileName name = FileName.parse(file.getFileName().toString());
        if (name != null) {
          found
              .computeIfAbsent(name.processId(), id -> new Remains(id, directory.toString()))
              .add(name, file.toString());
        }
      }
    } catch (IOException failure) {
      throw new UncheckedIOException("cannot read the output directory " + directory, failure);
    }
    return found;
  }

  static List<String> oldestFirst(Collection<Remains> remains) {
    return remains.stream()
        .sorted(
            Comparator.comparingLong((Remains left) -> left.lastModified)
                .thenComparing(left -> left.processId))
        .map(left -> left.processId)
        .toList();
  }

  private void add(FileName name, String path) {
    StreamName stream = name.stream();
    if (stream == null) {
      indexFiles.add(name);
      return;
    }
    FileStatus status = Posix.linkStatus(path);
    if (status != null && status.isRegular()) {
      long micros = status.modifiedNanos() / 1_000;
      segments
          .computeIfAbsent(stream, _ -> new ArrayList<>(1))
          .add(new Found(path, name.start(), status.size(), micros));
      lastModified = Math.max(lastModified, micros);
    }
  }

  /// Makes a finished log of it.
  OutputLog open(OutputStore store, Map<StreamName, Long> ends, byte[] smallIndex) {
    OutputLog log = restore(store, ends.keySet(), ends);
    log.restore(index(log, log.streams(), smallIndex));
    return log;
  }

  /// Makes a log of it that goes on: new segments begin where the files end.
  ///
  /// @param ends of the streams when the process ended; null when it has not
  OutputLog goOn(
      OutputStore store,
      Set<StreamName> streams,
      @Nullable Map<StreamName, Long> ends,
      byte[] smallIndex) {
    OutputLog log = restore(store, streams, ends == null ? Map.of() : ends);
    log.goOn(index(log, log.streams(), smallIndex), streams, ends);
    return log;
  }

  private OutputLog restore(
      OutputStore store, Set<StreamName> streams, Map<StreamName, Long> ends) {
    Set<StreamName> names = EnumSet.noneOf(StreamName.class);
    names.addAll(streams);
    names.addAll(segments.keySet());
    OutputLog log = new OutputLog(store, processId, names);
    for (StreamName name : names) {
      restore(log, name, ends.getOrDefault(name, 0L), store);
    }
    return log;
  }

  private void restore(OutputLog log, StreamName name, long knownEnd, OutputStore store) {
    List<Found> files = new ArrayList<>(segments.getOrDefault(name, List.of()));
    files.removeIf(file -> {
      if (file.length() == 0) {
        Posix.unlink(file.path()); // Created, and then the agent ended before the first byte.
      }
      return file.length() == 0;
    });
    files.sort(Comparator.comparingLong(Found::start));
    int first = files.size();
    while (first > 0
        && (first == files.size() || files.get(first - 1).end() == files.get(first).start())) {
      first--;
    }
    for (Found cut : files.subList(0, first)) {
      LOG.warn(
          "process {}: {} does not join what follows it and is removed", processId, cut.path());
      Posix.unlink(cut.path());
    }
    List<Segment> kept = new ArrayList<>(files.size() - first);
    for (Found file : files.subList(first, files.size())) {
      kept.add(Segment.found(name, file.start(), file.path(), file.length(), store.nextNumber()));
    }
    log.restore(name, kept, knownEnd);
  }

  /// The index as far as it was written, and one entry per stream for the rest. Null for an empty log.
  private @Nullable Index index(OutputLog log, Set<StreamName> names, byte[] smallIndex) {
    Index index = SmallIndex.decode(smallIndex);
    long[] ends = new long[StreamName.COUNT];
    if (index == null) {
      index = new Index();
      fromFiles(index, ends);
    } else {
      for (long order = 0; order < index.count(); order++) {
        long word = index.word(order);
        ends[Index.streamOf(word).number] = Index.endOf(word);
      }
    }
    for (StreamName name : names) {
      if (log.endOffset(name) > ends[name.number]) {
        index.seal();
        index.append(name, log.endOffset(name), lastModified);
      }
    }
    return index.isEmpty() ? null : index;
  }

  private void fromFiles(Index index, long[] ends) {
    List<IndexPart> parts = new ArrayList<>(indexFiles.size());
    indexFiles.sort(Comparator.comparingLong(FileName::start));
    long next = 0;
    for (FileName file : indexFiles) {
      String path = directory + '/' + FileName.index(processId, file.start());
      IndexPart part = IndexPart.found(path);
      boolean joins =
          part != null && part.first == file.start() && (parts.isEmpty() || part.first == next);
      if (part == null || !joins || part.count == 0) {
        LOG.warn(
            "process {}: {} is damaged and removed; the order of that output is lost",
            processId,
            path);
        Posix.unlink(path);
        continue;
      }
      parts.add(part);
      next = part.first + part.count;
    }
    if (parts.isEmpty()) {
      return;
    }
    IndexPart last = parts.getLast();
    System.arraycopy(last.floor, 0, ends, 0, ends.length);
    long[] words = new long[last.count * 2];
    String path = directory + '/' + FileName.index(processId, last.first);
    int count =
        last.read(path, last.first, words, ByteBuffer.allocateDirect(words.length * Long.BYTES));
    for (int i = 0; i < count; i++) {
      ends[Index.streamOf(words[i * 2]).number] = Index.endOf(words[i * 2]);
    }
    long newest = count > 0 ? words[count * 2 - 1] : last.firstMicros;
    index.restore(parts, next, ends.clone(), parts.getFirst().firstMicros, newest);
  }
}

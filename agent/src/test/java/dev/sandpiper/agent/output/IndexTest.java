package dev.sandpiper.agent.output;

import static dev.sandpiper.agent.output.StreamName.STDERR;
import static dev.sandpiper.agent.output.StreamName.STDOUT;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IndexTest {
  @TempDir Path directory;

  @Test
  void growthOfOneStreamWithinAMillisecondIsOneEntry() {
    Index index = new Index();
    index.append(STDOUT, 10, 5_000);
    index.append(STDOUT, 20, 5_999);
    index.append(STDOUT, 30, 6_000);
    index.append(STDERR, 1, 6_000);
    index.append(STDOUT, 31, 6_001);
    assertThat(index.count()).isEqualTo(4);
    assertThat(Index.endOf(index.word(0))).isEqualTo(20);
    assertThat(index.micros(0)).isEqualTo(5_000);
    assertThat(Index.streamOf(index.word(2))).isEqualTo(STDERR);
  }

  @Test
  void whatComesAfterTheEndIsAnEntryOfItsOwn() {
    Index index = new Index();
    index.append(STDOUT, 10, 5_000);
    index.seal();
    index.append(STDOUT, 20, 5_001);
    assertThat(index.count()).isEqualTo(2);
  }

  @Test
  void trimmedIndexGrowsOn() {
    Index index = new Index();
    index.trim();
    index.append(STDOUT, 10, 5_000);
    index.trim();
    index.append(STDERR, 10, 5_000);
    assertThat(index.count()).isEqualTo(2);
  }

  @Test
  void clockThatGoesBackMakesAnEntryInsteadOfALongOne() {
    Index index = new Index();
    index.append(STDOUT, 10, 5_000);
    index.append(STDOUT, 20, 4_000);
    assertThat(index.count()).isEqualTo(2);
    assertThat(index.micros(1)).as("times never go back").isEqualTo(5_000);
    index.append(STDOUT, 30, 4_999);
    assertThat(index.count()).as("and entries grow on as long as ever").isEqualTo(2);
  }

  @Test
  void entriesComeBackFromTheirFiles() {
    Index index = new Index();
    for (int i = 1; i <= Index.MEMORY_ENTRIES; i++) {
      index.append(i % 2 == 0 ? STDOUT : STDERR, i, i * 10_000L);
    }
    assertThat(index.isFull()).isTrue();
    IndexPart part = index.partForBatch();
    String path = directory.resolve(FileName.index("p", part.first)).toString();
    long[] batch = index.batch(false);
    assertThat(part.write(path, batch, ByteBuffer.allocateDirect(8192))).isZero();
    index.written(part, batch);
    assertThat(index.inMemory()).isEqualTo(Index.MEMORY_ENTRIES / 2);
    assertThat(index.first()).isZero();
    assertThat(index.part(0)).isSameAs(part);
    assertThat(index.part(127)).isSameAs(part);
    assertThat(index.isInMemory(128)).isTrue();
    assertThat(Index.endOf(index.word(128))).isEqualTo(129);

    long[] words = new long[40];
    assertThat(part.read(path, 100, words, ByteBuffer.allocateDirect(320))).isEqualTo(20);
    assertThat(Index.endOf(words[0])).isEqualTo(101);
    assertThat(words[1]).isEqualTo(1_010_000);

    IndexPart found = Objects.requireNonNull(IndexPart.found(path));
    assertThat(found.count).isEqualTo(128);
    assertThat(found.firstMicros).isEqualTo(10_000);
  }

  @Test
  void readerBeginsAtThePartThatHoldsWhatItLacks() {
    Index index = new Index();
    for (int part = 0; part < 3; part++) {
      for (int i = 0; i < Index.MEMORY_ENTRIES; i++) {
        index.append(STDOUT, index.count() + 1, index.count() * 10_000);
      }
      IndexPart file = new IndexPart(index.count() - index.inMemory(), ends(index));
      long[] batch = index.batch(true);
      index.written(file, batch);
    }
    assertThat(index.begin(new long[] {0, 0, 0})).isZero();
    assertThat(index.begin(new long[] {300, 0, 0})).isEqualTo(256);
    assertThat(index.begin(new long[] {600, 0, 0})).isEqualTo(512);
    assertThat(index.begin(new long[] {768, 0, 0})).isEqualTo(768);

    List<IndexPart> pruned = index.prune(new long[] {520, Long.MAX_VALUE, Long.MAX_VALUE}, 100);
    assertThat(pruned).extracting(part -> part.first).containsExactly(0L, 256L);
    assertThat(index.first()).isEqualTo(512);
    assertThat(index.floor(STDOUT)).isEqualTo(512);
  }

  private static long[] ends(Index index) {
    return new long[] {index.count() - index.inMemory(), 0, 0};
  }

  @Test
  void smallIndexIsTheSameAfterTheJournal() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int entries = 1; entries <= SmallIndex.MAX_ENTRIES; entries++) {
      Index index = new Index();
      long[] ends = new long[2];
      long micros = 1_700_000_000_000_000L;
      for (int i = 0; i < entries; i++) {
        int stream = random.nextInt(2);
        ends[stream] += 1 + random.nextInt(1 << random.nextInt(30));
        micros += random.nextInt(1 << random.nextInt(30)) - 100;
        index.append(StreamName.of(stream), ends[stream], micros);
        index.seal();
      }
      byte[] bytes = SmallIndex.encode(index);
      Index decoded = Objects.requireNonNull(SmallIndex.decode(bytes));
      assertThat(decoded.count()).isEqualTo(index.count());
      for (long order = 0; order < index.count(); order++) {
        assertThat(decoded.word(order)).as("seed %d", seed).isEqualTo(index.word(order));
        assertThat(decoded.micros(order)).as("seed %d", seed).isEqualTo(index.micros(order));
      }
      // Cut anywhere it says less or nothing, and breaks nothing.
      for (int cut = 0; cut < bytes.length; cut++) {
        Index less = SmallIndex.decode(Arrays.copyOf(bytes, cut));
        assertThat(less == null || less.count() < index.count()).isTrue();
      }
    }
  }

  @Test
  void longIndexDoesNotGoIntoTheJournal() {
    Index index = new Index();
    for (int i = 1; i <= SmallIndex.MAX_ENTRIES + 1; i++) {
      index.append(STDOUT, i, i * 10_000L);
    }
    assertThat(SmallIndex.encode(index)).isEmpty();
  }
}

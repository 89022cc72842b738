package dev.sandpiper.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.rpc.LargeMessages.Place;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LargeMessagesTest {
  private final LargeMessages room = new LargeMessages(100);
  private final List<String> granted = new ArrayList<>();

  private Place ask(String who, long bytes) {
    return room.ask(bytes, () -> granted.add(who));
  }

  @Test
  void roomIsGivenAtOnceWhileThereIsSome() {
    assertThat(ask("a", 60).isGranted()).isTrue();
    assertThat(ask("b", 40).isGranted()).isTrue();
    assertThat(granted).as("nobody had to be told").isEmpty();
    assertThat(room.isWanted()).isFalse();
  }

  @Test
  void whoAskedFirstGetsRoomFirst() {
    Place a = ask("a", 60);
    Place large = ask("large", 100);
    Place small = ask("small", 10);
    assertThat(small.isGranted()).as("would overtake").isFalse();
    assertThat(room.isWanted()).isTrue();

    a.free();
    assertThat(granted).containsExactly("large");
    assertThat(small.isGranted()).isFalse();
    large.free();
    assertThat(granted).containsExactly("large", "small");
    assertThat(small.isGranted()).isTrue();
  }

  @Test
  void whoWaitsNoLongerIsPassedOver() {
    Place a = ask("a", 60);
    Place gone = ask("gone", 100);
    ask("next", 40);
    gone.free();
    assertThat(granted).containsExactly("next");
    a.free();
    assertThat(granted).containsExactly("next");
  }

  @Test
  void anUnknownLengthTakesAllThereIs() {
    Place unknown = ask("unknown", Long.MAX_VALUE);
    assertThat(unknown.isGranted()).isTrue();
    assertThat(ask("b", 1).isGranted()).isFalse();
    unknown.free();
    assertThat(granted).containsExactly("b");
  }

  @Test
  void compressedMessagesTellWhetherTheyAreLarge() {
    byte[] zeros = Compression.GZIP.compress(new byte[300_000]);
    assertThat(Compression.GZIP.unpacksTo(zeros, zeros.length, 299_999)).isTrue();
    assertThat(Compression.GZIP.unpacksTo(zeros, zeros.length, 300_000)).isFalse();
    assertThat(Compression.GZIP.unpacksTo(new byte[5000], 5000, 10)).as("no gzip").isFalse();
    assertThat(Compression.IDENTITY.unpacksTo(zeros, zeros.length, 10)).isFalse();
  }
}

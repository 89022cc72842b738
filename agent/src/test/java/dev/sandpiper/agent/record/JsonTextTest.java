package dev.sandpiper.agent.record;

import static dev.sandpiper.agent.record.Lines.utf8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.json.JsonMapper;

final class JsonTextTest {
  private static final JsonMapper JSON = new JsonMapper();

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  /// The text that a JSON parser reads, after checking that both ways of counting agree with it.
  private static String read(byte[] raw) {
    var json = new JsonText();
    byte[] out = new byte[raw.length * JsonText.MAX_GROWTH];
    int length = json.write(raw, 0, raw.length, out, 0);
    String encoded = new String(out, 0, length, StandardCharsets.UTF_8);
    String text = JSON.readValue('"' + encoded + '"', String.class);

    var measure = new JsonText.Measure();
    assertThat(measure.advance(raw, 0, raw.length, true, Long.MAX_VALUE, Long.MAX_VALUE)).isFalse();
    assertThat(measure.rawBytes()).isEqualTo(raw.length);
    assertThat(measure.encodedBytes()).isEqualTo(length);
    assertThat(measure.textBytes())
        .isEqualTo(utf8(text).length)
        .isEqualTo(json.textBytes(raw.length));
    return text;
  }

  @Test
  void escapesEveryAsciiCharacterThatNeedsIt() {
    for (int c = 0; c < 0x80; c++) {
      assertThat(read(bytes('a', c, 'b'))).isEqualTo("a" + (char) c + "b");
    }
  }

  @Test
  void leavesEveryCharacterAsItIs() {
    for (int c = 0x80; c <= 0x10ffff; c += c < 0x3000 ? 1 : 61) {
      if (c < 0xd800 || c > 0xdfff) {
        String text = Character.toString(c);
        assertThat(read(utf8(text))).isEqualTo(text);
      }
    }
  }

  @Test
  void replacesWhatIsNotUtf8AsUnicodeRecommends() {
    // The examples of the Unicode standard, tables 3-8 to 3-11.
    assertThat(read(bytes(0xc0, 0xaf, 0xe0, 0x80, 0xbf, 0xf0, 0x81, 0x82, 0x41)))
        .isEqualTo("\ufffd".repeat(8) + "A");
    assertThat(read(bytes(0xed, 0xa0, 0x80, 0xed, 0xbf, 0xbf, 0xed, 0xaf, 0x41)))
        .isEqualTo("\ufffd".repeat(8) + "A");
    assertThat(read(bytes(0xf4, 0x91, 0x92, 0x93, 0xff, 0x41, 0x80, 0xbf, 0x42)))
        .isEqualTo("\ufffd".repeat(5) + "A" + "\ufffd".repeat(2) + "B");
    assertThat(read(bytes(0xe1, 0x80, 0xe2, 0xf0, 0x91, 0x92, 0xf1, 0xbf, 0x41)))
        .isEqualTo("\ufffd".repeat(4) + "A");
    assertThat(read(bytes('x', 0xf0, 0x9f, 0x90))).isEqualTo("x\ufffd");
  }

  @Test
  void agreesWithTheJdkOnRandomBytes() {
    long seed = System.nanoTime();
    var random = new Random(seed);
    byte[] alphabet =
        bytes('a', 0, '"', 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x90, 0xf4, 0xe0);
    for (int round = 0; round < 20_000; round++) {
      byte[] raw = new byte[random.nextInt(24)];
      for (int i = 0; i < raw.length; i++) {
        raw[i] = alphabet[random.nextInt(alphabet.length)];
      }
      assertThat(read(raw))
          .as("seed %d, bytes %s", seed, Arrays.toString(raw))
          .isEqualTo(new String(raw, StandardCharsets.UTF_8));
    }
  }

  @Test
  void measuresToTheLastCharacterThatFits() {
    var measure = new JsonText.Measure();
    byte[] raw = utf8("a€b");
    for (int most = 0; most <= 5; most++) {
      measure.clear();
      boolean stopped = measure.advance(raw, 0, raw.length, true, most, Long.MAX_VALUE);
      assertThat(measure.rawBytes()).isEqualTo(most == 0 ? 0 : most < 4 ? 1 : most);
      assertThat(stopped).isEqualTo(most < 5);
    }
  }
}

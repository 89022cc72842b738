package dev.sandpiper.agent.posix;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class FileNamesTest {
  private static byte[] hex(String digits) {
    return HexFormat.of().parseHex(digits.replace(" ", ""));
  }

  private static void escaped(String bytes, String text) {
    assertThat(FileNames.decode(hex(bytes))).isEqualTo(text);
    assertThat(FileNames.encode(text)).isEqualTo(hex(bytes));
  }

  @Test
  void validUtf8IsItself() {
    for (String name : new String[] {"", "a", "größe", "漢字", "😀.txt", "\uEF7F\uF000", "\uFFFD"}) {
      assertThat(FileNames.decode(name.getBytes(UTF_8))).isEqualTo(name);
      assertThat(FileNames.encode(name)).isEqualTo(name.getBytes(UTF_8));
    }
  }

  @Test
  void bytesThatAreNotUtf8BecomePrivateCharacters() {
    escaped("61 ff 62", "a\uEFFFb");
    escaped("80", "\uEF80");
    escaped("c3", "\uEFC3"); // cut
    escaped("c3 28", "\uEFC3(");
    escaped("e2 82", "\uEFE2\uEF82");
    escaped("c0 80", "\uEFC0\uEF80"); // a longer way to write NUL
    escaped("e0 80 af", "\uEFE0\uEF80\uEFAF");
    escaped("ed a0 80", "\uEFED\uEFA0\uEF80"); // half a surrogate pair
    escaped("f0 80 80 80", "\uEFF0\uEF80\uEF80\uEF80");
    escaped("f4 90 80 80", "\uEFF4\uEF90\uEF80\uEF80"); // beyond U+10FFFF
    escaped("f5", "\uEFF5");
  }

  @Test
  void namesThatHoldTheEscapesThemselvesStayDistinct() {
    escaped("ee be 80", "\uEFEE\uEFBE\uEF80");
    escaped("ee bf bf", "\uEFEE\uEFBF\uEFBF");
    escaped("ee bd bf", "\uEF7F");
    escaped("ef 80 80", "\uF000");
  }

  @Test
  void everyNameComesBackAsItWas() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    byte[] likely = hex("00 41 7f 80 bf c2 c3 e0 a0 ed 9f ee be 80 bf f0 90 f4 8f ff");
    for (int i = 0; i < 200_000; i++) {
      byte[] name = new byte[random.nextInt(7)];
      for (int j = 0; j < name.length; j++) {
        byte b =
            random.nextBoolean()
                ? likely[random.nextInt(likely.length)]
                : (byte) random.nextInt(256);
        name[j] = b == 0 ? 1 : b;
      }
      assertThat(FileNames.encode(FileNames.decode(name)))
          .as("seed %d, name %s", seed, HexFormat.of().formatHex(name))
          .isEqualTo(name);
    }
  }

  @Test
  void whatNoNameCanHoldIsRefused() {
    for (String text : new String[] {"a\0", "é\0", "\uD800", "\uDC00x"}) {
      assertThatThrownBy(() -> FileNames.encode(text)).isInstanceOf(IllegalArgumentException.class);
      assertThat(Posix.statusError("/" + text)).isEqualTo(-Errno.EINVAL);
    }
  }
}

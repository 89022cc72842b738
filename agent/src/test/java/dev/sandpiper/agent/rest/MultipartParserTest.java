package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MultipartParserTest {
  private static final String HEAD = "Content-Disposition: form-data; name=\"file\"; filename=";

  /// Writes down what it is told: `name|fileName|content` for each part, with `!` behind one that has not ended.
  private static final class Collector implements MultipartParser.Receiver<RuntimeException> {
    final List<String> parts = new ArrayList<>();
    private String current = "";

    @Override
    public void partBegins(PartHead head) {
      current = head.name().orElse("-") + "|" + head.fileName().orElse("-") + "|";
      parts.add(current + "!");
    }

    @Override
    public void partContent(ByteBuffer content) {
      assertThat(content.hasRemaining()).isTrue();
      current += StandardCharsets.ISO_8859_1.decode(content);
    }

    @Override
    public void partEnds() {
      parts.set(parts.size() - 1, current);
    }
  }

  private static byte[] latin1(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static List<String> parse(String boundary, byte[] body, int... cuts)
      throws MalformedMultipartException {
    Collector collector = new Collector();
    MultipartParser<RuntimeException> parser = new MultipartParser<>(boundary, collector);
    int from = 0;
    for (int cut : cuts) {
      parser.feed(ByteBuffer.wrap(body, from, cut - from));
      from = cut;
    }
    parser.feed(ByteBuffer.wrap(body, from, body.length - from));
    parser.end();
    return collector.parts;
  }

  private static List<String> parse(String body) throws MalformedMultipartException {
    return parse("b", latin1(body));
  }

  @Test
  void takesBodiesApartHoweverTheyAreCut() throws MalformedMultipartException {
    String text =
        "preamble\r\n--b--no\r\n".replace("--b--no", "-- b")
            + "--b\r\n"
            + HEAD
            + "\"a\"\r\nContent-Type: text/plain\r\n\r\none\r\n--\r\n-\r\r\n\r\n--b \t\r\n"
            + HEAD
            + "\"/d/b c\"\r\n\r\n\r\n--b\r\n\r\nno head\r\n--b--\r\nepilogue\r\n--b\r\n";
    byte[] body = latin1(text);
    List<String> expected = List.of("file|a|one\r\n--\r\n-\r\r\n", "file|/d/b c|", "-|-|no head");
    assertThat(parse("b", body)).isEqualTo(expected);
    for (int cut = 0; cut <= body.length; cut++) {
      assertThat(parse("b", body, cut)).as("cut at %d", cut).isEqualTo(expected);
      assertThat(parse("b", body, cut, Math.min(body.length, cut + 3))).isEqualTo(expected);
    }
    int[] everywhere = new int[body.length];
    for (int i = 0; i < body.length; i++) {
      everywhere[i] = i;
    }
    assertThat(parse("b", body, everywhere)).isEqualTo(expected);
  }

  @Test
  void keepsContentThatNearlyIsADelimiter() throws MalformedMultipartException {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int round = 0; round < 2_000; round++) {
      StringBuilder content = new StringBuilder();
      for (int i = random.nextInt(40); i > 0; i--) {
        content.append("\r\n-x-b\r".charAt(random.nextInt(7)));
      }
      if (content.indexOf("\r\n--xb") >= 0 || content.indexOf("--xb") == 0) {
        continue;
      }
      byte[] body = latin1("--xb\r\n\r\n" + content + "\r\n--xb--");
      int first = random.nextInt(body.length);
      int second = first + random.nextInt(body.length - first);
      assertThat(parse("xb", body, first, second))
          .as("seed %d, round %d", seed, round)
          .containsExactly("-|-|" + content);
    }
  }

  @Test
  void anEmptyPartNeedsNoLineBreakOfItsOwn() throws MalformedMultipartException {
    assertThat(parse("--b\r\n" + HEAD + "e\r\n\r\n--b\r\n\r\n--x\r\n--b--\r\n"))
        .containsExactly("file|e|", "-|-|--x");
  }

  @Test
  void readsFileNames() throws MalformedMultipartException {
    assertThat(name("\"/a/b.txt\"")).isEqualTo("/a/b.txt");
    assertThat(name("plain; x=1")).isEqualTo("plain");
    assertThat(name("\"a\\\"b\\\\c\"")).isEqualTo("a\"b\\c");
    assertThat(name("\"C:\\dir\\f\"")).isEqualTo("C:\\dir\\f");
    assertThat(name("\"a;b=c\" ; y=\"z\";")).isEqualTo("a;b=c");
    assertThat(name("\"a%22b%0D\"")).isEqualTo("a%22b%0D");
    assertThat(name("\"\u00c3\u00a9\u00f0\u009f\u0098\u0080\"")).isEqualTo("é😀");
    assertThat(name("\"x\"; filename*=UTF-8''%c3%A9%20e")).isEqualTo("é e");
    assertThat(name("\"\"")).isEqualTo("-");
  }

  private static String name(String value) throws MalformedMultipartException {
    String part = parse("--b\r\n" + HEAD + value + "\r\n\r\n\r\n--b--").getFirst();
    return part.substring("file|".length(), part.length() - 1);
  }

  @Test
  void refusesHeadsThatCannotBeRead() {
    String[][] heads = {
      {"no colon", "malformed header line"},
      {HEAD + "\"open", "inside a quoted value"},
      {HEAD + "\"a\"b", "behind a quoted value"},
      {HEAD + "a; filename=b", "filename is given twice"},
      {HEAD + "\"\u00ff\"", "not UTF-8"},
      {HEAD + "a; filename*=x", "filename*"},
      {HEAD + "a; filename*=utf-8''%4", "invalid escape"},
      {HEAD + "a; alone", "without a value"},
      {"Content-Transfer-Encoding: base64", "base64"},
    };
    for (String[] each : heads) {
      assertThatThrownBy(() -> parse("--b\r\n" + each[0] + "\r\n\r\nx\r\n--b--"))
          .as(each[0])
          .isInstanceOf(MalformedMultipartException.class)
          .hasMessageContaining(each[1]);
    }
  }

  @Test
  void aBodyWithoutItsLastDelimiterIsIncomplete() {
    for (String body :
        new String[] {
          "",
          "x",
          "--b",
          "--b\r\n",
          "--b\r\n\r\nx",
          "--b\r\n\r\nx\r\n--b\r\n",
          "--b\r\n\r\n\r\n--b-"
        }) {
      assertThatThrownBy(() -> parse(body)).as(body).hasMessage("unexpected EOF");
    }
    assertThatThrownBy(() -> parse("--b\r\n\r\nx\r\n--bc\r\n")).hasMessageContaining("other text");
  }

  @Test
  void anEndlessHeadIsRefusedInBoundedMemory() throws MalformedMultipartException {
    MultipartParser<RuntimeException> parser = new MultipartParser<>("b", new Collector());
    parser.feed(ByteBuffer.wrap(latin1("--b\r\nX: ")));
    byte[] more = latin1("y".repeat(1024));
    assertThatThrownBy(
            () -> {
              for (int i = 0; i < 1000; i++) {
                parser.feed(ByteBuffer.wrap(more));
              }
            })
        .hasMessage("the headers of a part are longer than 32768 bytes");
  }

  @Test
  void millionsOfPartsAreRefused() throws MalformedMultipartException {
    MultipartParser<RuntimeException> parser = new MultipartParser<>("b", new Collector());
    byte[] part = latin1("--b\r\n\r\n\r\n");
    assertThatThrownBy(
            () -> {
              for (int i = 0; i < 1_000_000; i++) {
                parser.feed(ByteBuffer.wrap(part));
              }
            })
        .hasMessage("there are more than 10000 parts");
  }

  @Test
  void refusesBoundariesThatNoneMayUse() {
    for (String boundary : new String[] {"", "x".repeat(71), "a\rb", "é"}) {
      assertThatThrownBy(() -> parse(boundary, new byte[0]))
          .isInstanceOf(MalformedMultipartException.class);
    }
  }

  @Test
  void findsTheBoundaryInAContentType() throws MalformedMultipartException {
    assertThat(PartHead.parameter("multipart/form-data; boundary=\"a b\"; x=y", "boundary"))
        .contains("a b");
    assertThat(PartHead.parameter("multipart/form-data;Boundary=--xyz", "boundary"))
        .contains("--xyz");
    assertThat(PartHead.parameter("multipart/form-data", "boundary")).isEmpty();
  }
}

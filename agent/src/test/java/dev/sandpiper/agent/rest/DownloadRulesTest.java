package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sandpiper.agent.http.Headers;
import dev.sandpiper.agent.rest.ByteRanges.Outcome;
import dev.sandpiper.agent.rest.ByteRanges.Range;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The rules of `GET /files` that need no file: coding, ranges, conditions, types and names.
class DownloadRulesTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | IDENTITY",
        "gzip | GZIP",
        "gzip, deflate | GZIP",
        "GZip;q=0.5 | GZIP",
        "identity, gzip | IDENTITY",
        "identity;q=0.5, gzip | GZIP",
        "gzip;q=0.5, identity;q=0.9 | IDENTITY",
        "br, deflate | IDENTITY",
        "* | IDENTITY",
        "*, identity;q=0 | GZIP",
        "br, *;q=0.1, identity;q=0 | GZIP",
        "gzip;q=x | GZIP",
        "gzip;q=0 | IDENTITY",
        "identity;q=0 | none",
        "*;q=0 | none",
        "*;q=0, identity;q=0.1 | IDENTITY",
        "gzip;q=0, *;q=0 | none",
        "br, identity;q=0 | none"
      })
  void theCodingFollowsTheWeights(String accepted, String coding) {
    assertThat(
            ContentCodings.choose(Headers.of("accept-encoding", accepted))
                .map(Enum::name)
                .orElse("none"))
        .isEqualTo(coding);
  }

  @Test
  void noAcceptEncodingMeansIdentity() {
    assertThat(ContentCodings.choose(new Headers()))
        .isEqualTo(Optional.of(ContentCodings.IDENTITY));
    assertThat(ContentCodings.isIdentityAllowed(new Headers())).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "bytes=0-0 | 0+1",
        "bytes=2-4 | 2+3",
        "bytes=5- | 5+5",
        "bytes=5-100 | 5+5",
        "bytes=-3 | 7+3",
        "bytes=-100 | 0+10",
        "bytes=0-9 | 0+10",
        "bytes= 1 - 2 , 8-,, | 1+2 8+2",
        "bytes=0-1,20-30 | 0+2",
        "bytes=0-99999999999999999999 | 0+10",
        "bytes=10- | UNSATISFIABLE",
        "bytes=-0 | UNSATISFIABLE",
        "bytes=99999999999999999999- | UNSATISFIABLE",
        "bytes=0-9,0-9 | WHOLE",
        "bytes= | WHOLE",
        "bytes=5-2 | MALFORMED",
        "bytes=- | MALFORMED",
        "bytes=x-2 | MALFORMED",
        "bytes=1 | MALFORMED",
        "lines=1-2 | MALFORMED"
      })
  void rangesOfTenBytes(String header, String expected) {
    ByteRanges ranges = ByteRanges.parse(header, 10);
    StringBuilder seen = new StringBuilder();
    for (Range range : ranges.ranges()) {
      seen.append(seen.isEmpty() ? "" : " ")
          .append(range.start())
          .append('+')
          .append(range.length());
    }
    assertThat(seen.isEmpty() ? ranges.outcome().name() : seen.toString()).isEqualTo(expected);
  }

  @Test
  void anEmptyFileHasNoRangesAndTooManyAreNone() {
    assertThat(ByteRanges.parse("bytes=0-", 0).outcome()).isEqualTo(Outcome.WHOLE);
    assertThat(ByteRanges.parse("bytes=-5", 0).outcome()).isEqualTo(Outcome.WHOLE);
    assertThat(ByteRanges.parse("bytes=" + "0-0,".repeat(100_000), 1L << 40).outcome())
        .isEqualTo(Outcome.WHOLE);
    assertThat(new Range(5, 10).header(100)).isEqualTo("bytes 5-14/100");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "if-modified-since | Sun, 06 Nov 1994 08:49:37 GMT | NOT_MODIFIED",
        "if-modified-since | Sun, 06 Nov 1994 08:49:36 GMT | PROCEED",
        "if-modified-since | Sunday, 06-Nov-94 08:49:37 GMT | NOT_MODIFIED",
        "if-modified-since | Sun Nov  6 08:49:37 1994 | NOT_MODIFIED",
        "if-modified-since | yesterday | PROCEED",
        "if-unmodified-since | Sun, 06 Nov 1994 08:49:37 GMT | PROCEED",
        "if-unmodified-since | Sun, 06 Nov 1994 08:49:36 GMT | FAILED",
        "if-match | * | PROCEED",
        "if-match | \"x\" | FAILED",
        "if-none-match | * | NOT_MODIFIED",
        "if-none-match | \"x\" | PROCEED"
      })
  void conditions(String name, String value, String outcome) {
    assertThat(Preconditions.check(Headers.of(name, value), 784111777L).name()).isEqualTo(outcome);
  }

  @Test
  void theFirstConditionOfItsKindDecides() {
    String later = "Mon, 07 Nov 1994 08:49:37 GMT";
    assertThat(
            Preconditions.check(
                Headers.of("if-none-match", "\"x\"", "if-modified-since", later), 784111777L))
        .isEqualTo(Preconditions.Outcome.PROCEED);
    assertThat(Preconditions.check(Headers.of("if-modified-since", later), 0))
        .isEqualTo(Preconditions.Outcome.PROCEED);
  }

  @Test
  void ifRangeWantsExactlyTheTimeOfChange() {
    assertThat(Preconditions.format(784111777L)).isEqualTo("Sun, 06 Nov 1994 08:49:37 GMT");
    assertThat(Preconditions.format(0)).isEqualTo("Thu, 01 Jan 1970 00:00:00 GMT");
    assertThat(Preconditions.format(-1)).isEqualTo("Wed, 31 Dec 1969 23:59:59 GMT");
    assertThat(Preconditions.rangeApplies(new Headers(), 5)).isTrue();
    assertThat(Preconditions.rangeApplies(Headers.of("if-range", Preconditions.format(5)), 5))
        .isTrue();
    assertThat(Preconditions.rangeApplies(Headers.of("if-range", Preconditions.format(5)), 6))
        .isFalse();
    assertThat(Preconditions.rangeApplies(Headers.of("if-range", "\"tag\""), 5)).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "a.txt | text/plain; charset=utf-8",
        "a.JSON | application/json",
        "x.tar.gz | application/gzip",
        "page.html | text/html; charset=utf-8",
        "p.png | image/png",
        "Makefile | none",
        "a.unknown | none",
        "trailing. | none"
      })
  void typesByExtension(String name, String type) {
    assertThat(MediaTypes.ofName(name).orElse("none")).isEqualTo(type);
  }

  @Test
  void typesByContent() {
    assertThat(sniff("hello, world\n")).isEqualTo("text/plain; charset=utf-8");
    assertThat(sniff("")).isEqualTo("text/plain; charset=utf-8");
    assertThat(sniff("h\u00c3\u00a9\u001b[0m")).isEqualTo("text/plain; charset=utf-8");
    assertThat(sniff("a\0b")).isEqualTo("application/octet-stream");
    assertThat(sniff(" \n<!DOCTYPE HTML>")).isEqualTo("text/html; charset=utf-8");
    assertThat(sniff("<html lang=x")).isEqualTo("text/html; charset=utf-8");
    assertThat(sniff("<pre>")).isEqualTo("text/plain; charset=utf-8");
    assertThat(sniff("<?xml version")).isEqualTo("text/xml; charset=utf-8");
    assertThat(sniff("\u0089PNG\r\n\u001a\n....")).isEqualTo("image/png");
    assertThat(sniff("RIFFxxxxWAVEfmt ")).isEqualTo("audio/wave");
    assertThat(sniff("\u001f\u008b\b\0")).isEqualTo("application/x-gzip");
    assertThat(sniff("%PDF-1.7")).isEqualTo("application/pdf");
    assertThat(sniff("x".repeat(600) + "\0")).isEqualTo("text/plain; charset=utf-8");
  }

  private static String sniff(String latin1) {
    ByteBuffer bytes = ByteBuffer.wrap(latin1.getBytes(StandardCharsets.ISO_8859_1));
    String type = MediaTypes.ofContent(bytes);
    assertThat(bytes.position()).isZero();
    return type;
  }

  @Test
  void namesAreQuotedOrEncodedWhereTheyMust() {
    assertThat(ContentDisposition.inline("test.txt")).isEqualTo("inline; filename=test.txt");
    assertThat(ContentDisposition.inline("my document.pdf"))
        .isEqualTo("inline; filename=\"my document.pdf\"");
    assertThat(ContentDisposition.inline("a\"b\\c")).isEqualTo("inline; filename=\"a\\\"b\\\\c\"");
    assertThat(ContentDisposition.inline("é 1.txt"))
        .isEqualTo("inline; filename*=utf-8''%C3%A9%201.txt");
    assertThat(ContentDisposition.inline("a\r\nb")).isEqualTo("inline; filename*=utf-8''a%0D%0Ab");
  }
}

package dev.sandpiper.agent.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class QueryTest {
  private static Optional<String> path(String query) throws BadQueryException {
    return Query.parse(query).one("path");
  }

  @Test
  void tellsAbsentFromEmpty() throws BadQueryException {
    assertThat(Query.parse(null).one("path")).isEmpty();
    assertThat(path("")).isEmpty();
    assertThat(path("other=1&&")).isEmpty();
    assertThat(path("path")).contains("");
    assertThat(path("path=&x=1")).contains("");
  }

  @Test
  void decodesEscapesPlusAndUtf8() throws BadQueryException {
    assertThat(path("path=%2Ftmp%2Fa+b%2Bc")).contains("/tmp/a b+c");
    assertThat(path("x=1&path=%C3%A9%F0%9F%98%80&y")).contains("é😀");
    assertThat(path("p%61th=x%3D1=2")).contains("x=1=2");
    assertThat(path("path=a%41")).contains("aA");
  }

  @Test
  void takesBytesThatTheClientDidNotEscape() throws BadQueryException {
    assertThat(path("path=\u00c3\u00a9")).contains("é");
  }

  @Test
  void refusesARepeatedParameterOnlyWhenItIsAskedFor() throws BadQueryException {
    Query query = Query.parse("path=a&username=u&path=a");
    assertThat(query.one("username")).contains("u");
    assertThatThrownBy(() -> query.one("path"))
        .isInstanceOf(BadQueryException.class)
        .hasMessage("Invalid format for parameter path: it is given more than once");
  }

  @Test
  void refusesWhatCannotBeDecoded() {
    for (String value : new String[] {"%", "%4", "a%zz", "%2", "x%4g%20"}) {
      assertThatThrownBy(() -> path("path=" + value))
          .as(value)
          .isInstanceOf(BadQueryException.class)
          .hasMessageStartingWith("Invalid format for parameter path: invalid URL escape");
    }
    assertThatThrownBy(() -> path("path=%ff")).hasMessageContaining("not UTF-8");
    assertThatThrownBy(() -> path("path=%C3%28")).hasMessageContaining("not UTF-8");
    assertThatThrownBy(() -> path("path=%ED%A0%80")).hasMessageContaining("not UTF-8");
  }

  @Test
  void readsNumbers() throws BadQueryException {
    assertThat(Query.parse("n=-12").number("n")).isEqualTo(OptionalLong.of(-12));
    assertThat(Query.parse("m=1").number("n")).isEmpty();
    for (String value : new String[] {"", "1.5", "x", "99999999999999999999", "%2"}) {
      assertThatThrownBy(() -> Query.parse("n=" + value).number("n"))
          .as(value)
          .hasMessageStartingWith("Invalid format for parameter n:");
    }
  }
}

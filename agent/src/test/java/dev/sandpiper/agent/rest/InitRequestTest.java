package dev.sandpiper.agent.rest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.agent.rest.InitRequest.Bad;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class InitRequestTest {
  private static InitRequest parse(String json) throws Bad {
    return InitRequest.parse(json.getBytes(StandardCharsets.UTF_8));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{}",
        " {\n} ",
        "null",
        "{\"unknown\":{\"a\":[1,-2.5e+3,true,false,null,\"x\"]}}",
        "{\"envVars\":null,\"accessToken\":null,\"timestamp\":null,\"defaultUser\":\"\","
            + "\"defaultWorkdir\":\"\",\"caBundle\":\"\",\"volumeMounts\":[],\"lifecycleID\":\"\"}"
      })
  void nothingSaidIsNothingChanged(String json) throws Bad {
    InitRequest request = parse(json);
    assertThat(request.variables()).isNull();
    assertThat(request.token()).isNull();
    assertThat(request.timestamp()).isNull();
    assertThat(request.defaultUser()).isNull();
    assertThat(request.defaultWorkdir()).isNull();
    assertThat(request.caBundle()).isNull();
    assertThat(request.volumes()).isZero();
    assertThat(request.forMicrovms()).isEmpty();
  }

  @Test
  void everyFieldIsReadWhateverTheCaseOfItsName() throws Bad {
    InitRequest request =
        parse(
            """
            {"ENVVARS":{"A":"1","b":"\\u00fc\\ud83d\\ude00","C":null},"accesstoken":"t","Timestamp":"2026-11-21T12:00:00.5+01:00",
             "DefaultUser":"user","defaultworkdir":"/w","cabundle":"pem","hyperloopIP":"10.0.0.1",
             "lifecycleid":"x","volumeMounts":[{"nfs_target":"a","path":"/b"}]}\
            """);
    assertThat(request.variables()).isEqualTo(Map.of("A", "1", "b", "ü😀", "C", ""));
    assertThat(request.token()).isEqualTo("t");
    assertThat(request.timestamp()).isEqualTo(Instant.parse("2026-11-21T11:00:00.500Z"));
    assertThat(request.defaultUser()).isEqualTo("user");
    assertThat(request.defaultWorkdir()).isEqualTo("/w");
    assertThat(request.caBundle()).isEqualTo("pem");
    assertThat(request.forMicrovms()).containsExactly("hyperloopIP", "lifecycleID");
    assertThat(request.volumes()).isEqualTo(1);
    assertThat(request.toString()).isEqualTo("InitRequest");
  }

  @Test
  void theLastOfARepeatedNameCountsAndAnEmptyObjectClears() throws Bad {
    assertThat(parse("{\"defaultUser\":\"a\",\"DEFAULTUSER\":\"b\"}").defaultUser()).isEqualTo("b");
    assertThat(parse("{\"envVars\":{}}").variables()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "x",
        "{",
        "[]",
        "\"x\"",
        "1",
        "true",
        "{}{}",
        "{} x",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":-}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\":nul}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"",
        "{\"accessToken\":\"\"}",
        "{\"accessToken\":1}",
        "{\"accessToken\":\"a\\u0062\"}",
        "{\"accessToken\":\"a\\\\b\"}",
        "{\"accessToken\":\"a\\/b\"}",
        "{\"envVars\":[]}",
        "{\"envVars\":{\"A\":1}}",
        "{\"timestamp\":\"soon\"}",
        "{\"timestamp\":1}",
        "{\"defaultUser\":1}",
        "{\"volumeMounts\":{}}",
        "\ufeff{}"
      })
  void whatCannotBeMeantIsRefusedWithoutShowingIt(String json) {
    assertThatThrownBy(() -> parse(json)).isInstanceOf(Bad.class);
  }

  @Test
  void depthIsBounded() {
    assertThatThrownBy(() -> parse("[".repeat(100_000)))
        .isInstanceOf(Bad.class)
        .hasMessageContaining("levels");
  }
}

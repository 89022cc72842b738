package dev.sandpiper.agent.rpc;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.StatusRuntimeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class JsonMembersTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        " {\"a\":1,\"b\":{\"a\":2}} \n",
        "{\"a\":[{\"a\":1},{\"a\":1},\"a\",\"a\"]}",
        "{\"a\":\"a\",\"b\":\"a\"}",
        "{\"a\\\"}\":\"},{\"}",
        "{\"a\":",
        "}",
        "\"",
        "{\"a\\",
      })
  void letsThrough(String json) {
    assertThatCode(() -> JsonMembers.check(json)).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"a\":1,\"a\":2}",
        "{\"b\":{\"a\":[],\"c\":{},\"a\":2}}",
        "[{\"a\":1,\"a\":1}]",
        "{} x",
        "{}{}",
      })
  void refuses(String json) {
    assertThatThrownBy(() -> JsonMembers.check(json)).isInstanceOf(StatusRuntimeException.class);
  }

  @Test
  void refusesDepthWithoutEnd() {
    assertThatThrownBy(() -> JsonMembers.check("[".repeat(1_000_000)))
        .isInstanceOf(StatusRuntimeException.class);
  }
}

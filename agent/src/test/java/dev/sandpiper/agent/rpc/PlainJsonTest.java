package dev.sandpiper.agent.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.sandpiper.proto.filesystem.ListDirRequest;
import dev.sandpiper.proto.process.SendSignalRequest;
import dev.sandpiper.proto.process.StartRequest;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class PlainJsonTest {
  private static final String ALL =
      """
      {"process": {"cmd": "/bin/bash", "args": ["-l", "-c", "echo \\"a\\\\b\\" /\\/ \\n\\t\\r\\b\\f äöü €"],
        "envs": {"A": "1", "B": "", "": "x", "Ä\\"": "ü"}, "cwd": "/root"},
       "pty": {"size": {"cols": 80, "rows": 0}}, "tag": "", "stdin": false}
      """;

  private final PlainJson plain = new PlainJson();

  @ParameterizedTest
  @ValueSource(
      strings = {
        ALL,
        "{}",
        " { } ",
        "{\"process\":{}}",
        "{\"process\":{\"cmd\":\"\",\"args\":[],\"envs\":{}},\"stdin\":true}",
        "{\"process\":{\"cmd\":\"/bin/true\",\"args\":null}}",
        "{\"pty\":{\"size\":{\"cols\":4294967295}}}",
        "{\"pty\":{\"size\":{\"cols\":\"7\",\"rows\":1e1}}}",
        "{\"tag\":\"\\u00e4\"}",
        "{\"process\":{\"cmd\":null,\"envs\":null},\"pty\":null,\"tag\": null ,\"stdin\":null}",
        "{\"unknown\":{\"a\":[1]},\"tag\":\"x\"}",
      })
  void meansWhatProtobufsParserMeans(String json) throws Exception {
    Message read = read(StartRequest.getDefaultInstance(), json);
    if (read != null) {
      var expected = StartRequest.newBuilder();
      JsonFormat.parser().ignoringUnknownFields().merge(json, expected);
      assertThat(read).isEqualTo(expected.build());
    }
  }

  @Test
  void readsWhatClientsSend() {
    assertThat(read(StartRequest.getDefaultInstance(), ALL)).isNotNull();
    assertThat(
            read(StartRequest.getDefaultInstance(), "{\"process\":{\"args\":null,\"cmd\":\"x\"}}"))
        .isNotNull();
    assertThat(read(ListDirRequest.getDefaultInstance(), "{\"path\":\"/etc\",\"depth\":1}"))
        .isEqualTo(ListDirRequest.newBuilder().setPath("/etc").setDepth(1).build());
  }

  @Test
  void longStringsKeepTheirLength() {
    for (int length : new int[] {0, 1, 126, 127, 128, 129, 16_383, 16_384, 300_000}) {
      String tag = "x".repeat(length);
      assertThat(read(StartRequest.getDefaultInstance(), "{\"tag\":\"" + tag + "\"}"))
          .isEqualTo(StartRequest.newBuilder().setTag(tag).build());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "null",
        "{\"tag\":\"a\",\"tag\":\"b\"}",
        "{\"process\":{\"envs\":{\"A\":\"1\",\"A\":\"2\"}}}",
        "{\"tag\":nullx}",
        "{\"process\":{\"args\":[null]}}",
        "{\"tag\":1}",
        "{\"tag\":'a'}",
        "{tag:\"a\"}",
        "{\"tag\":\"a\",}",
        "{\"tag\":\"a\"} x",
        "{\"tag\":\"a\nb\"}",
        "{\"tag\":\"\\ud800\"}",
        "{\"stdin\":truest}",
        "{\"stdin\":\"true\"}",
        "{\"pty\":{\"size\":{\"cols\":01}}}",
        "{\"pty\":{\"size\":{\"cols\":-1}}}",
        "{\"pty\":{\"size\":{\"cols\":1.0}}}",
        "{\"pty\":{\"size\":{\"cols\":1234567890}}}",
        "{\"unknown\":1}",
      })
  void leavesTheRestToProtobufsParser(String json) {
    assertThat(read(StartRequest.getDefaultInstance(), json)).isNull();
  }

  @Test
  void leavesEnumsAndAlternativesToProtobufsParser() {
    String json = "{\"process\":{\"pid\":1},\"signal\":\"SIGNAL_SIGTERM\"}";
    assertThat(read(SendSignalRequest.getDefaultInstance(), json)).isNull();
  }

  @Test
  void cutAnywhereIsNotPlain() {
    byte[] whole = ALL.strip().getBytes(StandardCharsets.UTF_8);
    for (int length = 0; length < whole.length; length++) {
      assertThat(plain.read(StartRequest.getDefaultInstance(), Arrays.copyOf(whole, length)))
          .isNull();
    }
  }

  @Test
  void bytesThatAreNotUtf8AreNotPlain() {
    byte[] json = "{\"tag\":\"x\"}".getBytes(StandardCharsets.UTF_8);
    json[8] = (byte) 0xC3;
    assertThat(plain.read(StartRequest.getDefaultInstance(), json)).isNull();
  }

  private @Nullable Message read(Message prototype, String json) {
    return plain.read(prototype, json.getBytes(StandardCharsets.UTF_8));
  }
}

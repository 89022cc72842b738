package dev.sandpiper.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sandpiper.proto.v1.Cause;
import dev.sandpiper.proto.v1.End;
import dev.sandpiper.proto.v1.Level;
import dev.sandpiper.proto.v1.LogEntry;
import dev.sandpiper.proto.v1.Stream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TextFormsTest {
  private static final LogEntry LINE =
      LogEntry.newBuilder()
          .setTimeUs(1_700_000_000_123_456L)
          .setLevel(Level.LEVEL_INFO)
          .setEventType("process_output")
          .setLogger("process")
          .setMessage("a \"b\"\u001b[2J\t")
          .setProcessId("p1")
          .setPid(7)
          .setTag("build")
          .setStream(Stream.STREAM_STDERR)
          .setOffset(12)
          .setCursor("c")
          .build();

  private static Screen screen(boolean colour) {
    return new Screen(
        new Console(
            new ByteArrayInputStream(new byte[0]),
            new ByteArrayOutputStream(),
            new ByteArrayOutputStream(),
            Console.Input.NOTHING,
            colour),
        colour);
  }

  @Test
  void rawIsTheMessageAndTheTimeIfAskedFor() {
    assertThat(LogFormat.RAW.line(LINE, false, screen(false))).isEqualTo(LINE.getMessage());
    assertThat(LogFormat.RAW.line(LINE, true, screen(false)))
        .isEqualTo("2023-11-14T22:13:20.123456Z " + LINE.getMessage());
  }

  @Test
  void jsonIsOneFlatObject() {
    assertThat(LogFormat.JSON.line(LINE, false, screen(false)))
        .isEqualTo(
            """
            {"timestamp":"2023-11-14T22:13:20.123456Z","level":"info","event_type":"process_output",\
            "logger":"process","process_id":"p1","pid":7,"tag":"build","stream":"stderr","offset":12,\
            "message":"a \\"b\\"\\u001b[2J\\t","cursor":"c"}\
            """);
  }

  @Test
  void prettyShowsNoControlCharactersOfTheCommand() {
    var plain = LogFormat.PRETTY.line(LINE, false, screen(false));
    assertThat(plain).endsWith("stderr   [build] a \"b\" [2J ").doesNotContain("\u001b");
    assertThat(LogFormat.PRETTY.line(LINE, false, screen(true))).contains("\u001b[33mstderr");
  }

  @Test
  void columnsAreAsWideAsTheirWidestCell() {
    assertThat(new Table().row("ID", "X").row("p12345", "y").lines())
        .isEqualTo(List.of("ID      X", "p12345  y"));
  }

  @ParameterizedTest
  @CsvSource({"TERM,15", "sigterm,15", "9,9", "SIGHUP,1", "64,64", "sys,31"})
  void signalsHaveNamesAndNumbers(String text, int number) {
    assertThat(SignalNumbers.parse(text)).isEqualTo(number);
  }

  @Test
  void whatIsNoSignalIsRefused() {
    assertThatThrownBy(() -> SignalNumbers.parse("0")).hasMessageContaining("'0'");
    assertThatThrownBy(() -> SignalNumbers.parse("SIG")).hasMessageContaining("'SIG'");
  }

  @Test
  void endsHaveTheExitCodesOfShells() {
    assertThat(Ends.exitCode(End.newBuilder().setExitCode(3).build())).isEqualTo(3);
    assertThat(Ends.exitCode(End.newBuilder().setSignal(9).build())).isEqualTo(137);
    var limit = End.newBuilder().setSignal(9).setCause(Cause.CAUSE_TIME_LIMIT).build();
    assertThat(Ends.exitCode(limit)).isEqualTo(124);
    assertThat(Ends.words(limit)).isEqualTo("SIGKILL (time limit)");
    var lost = End.newBuilder().setLost("nobody waited").setCause(Cause.CAUSE_LOST).build();
    assertThat(Ends.exitCode(lost)).isEqualTo(125);
    assertThat(Ends.words(lost)).isEqualTo("lost: nobody waited");
  }
}

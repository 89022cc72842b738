package dev.sandpiper.agent.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ExitCodeTest {
  @ParameterizedTest(name = "{0} gives {1}")
  @CsvSource({
    "signal: hangup, 129",
    "signal: interrupt, 130",
    "signal: killed, 137",
    "signal: segmentation fault, 139",
    "signal: segmentation fault (core dumped), 139",
    "signal: broken pipe, 141",
    "signal: terminated, 143",
    "signal: stack fault, 144",
    "signal: CPU time limit exceeded, 152",
    "signal: profiling timer expired, 155",
    "signal: I/O possible, 157",
    "signal: bad system call, 159",
    "signal: signal 34, 162",
    "lost: the agent was not running, 125",
    "signal: , 125",
    "signal: something new, 125"
  })
  void statusOfASignalGivesTheShellsCode(String status, int code) {
    assertThat(ExitCode.ofStatus(status)).isEqualTo(code);
  }
}

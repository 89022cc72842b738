package dev.sandpiper.agent.posix;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class SocketsTest {
  private final int[] pair = new int[2];

  @BeforeEach
  void open() {
    assertThat(Sockets.pair(pair)).isZero();
  }

  @AfterEach
  void close() {
    Posix.close(pair[0]);
    Posix.close(pair[1]);
  }

  private static Sockets.Message peek(int fd) {
    return requireNonNull(Sockets.peek(fd));
  }

  @Test
  void descriptorsInAQueueStayOpenWhileNobodyElseHoldsThem() {
    int[] pipe = new int[2];
    Posix.pipe2(pipe, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK);
    assertThat(Sockets.send(pair[0], "read end", new int[] {pipe[0]}, 1)).isPositive();
    Posix.close(pipe[0]);
    assertThat(Posix.write(pipe[1], ByteBuffer.allocateDirect(5))).isEqualTo(5);
    Sockets.Message message = peek(pair[1]);
    assertThat(message.text()).isEqualTo("read end");
    assertThat(message.complete()).isTrue();
    int back = message.descriptors().getFirst();
    assertThat(Posix.fcntl(back, Fcntl.F_GETFD, 0)).isEqualTo(Fcntl.FD_CLOEXEC);
    assertThat(Posix.read(back, ByteBuffer.allocateDirect(9))).isEqualTo(5);
    Posix.close(back);
    assertThat(Sockets.drop(pair[1])).isPositive();
    assertThat(Posix.write(pipe[1], ByteBuffer.allocateDirect(5)))
        .as("with the message its descriptor goes")
        .isEqualTo(-Errno.EPIPE);
    Posix.close(pipe[1]);
  }

  @Test
  void peekingGoesFromMessageToMessageAndTakesNone() {
    assertThat(Sockets.send(pair[0], "one", new int[0], 0)).isPositive();
    assertThat(Sockets.send(pair[0], "two", new int[0], 0)).isPositive();
    for (int round = 0; round < 2; round++) {
      assertThat(Sockets.peekFrom(pair[1], 0)).isZero();
      assertThat(peek(pair[1]).text()).isEqualTo("one");
      assertThat(peek(pair[1]).text()).isEqualTo("two");
      assertThat(Sockets.peek(pair[1])).isNull();
    }
    assertThat(Sockets.drop(pair[1])).isPositive();
    assertThat(Sockets.peekFrom(pair[1], 0)).isZero();
    assertThat(peek(pair[1]).text()).isEqualTo("two");
    assertThat(Sockets.drop(pair[1])).isPositive();
    assertThat(Sockets.drop(pair[1])).isEqualTo(-Errno.EAGAIN);
  }

  @Test
  void aMessageCarriesAsManyAsTheKernelTakes() {
    int[] many = new int[Sockets.MOST_DESCRIPTORS];
    Arrays.fill(many, pair[0]);
    assertThat(Sockets.send(pair[0], "many", many, many.length)).isPositive();
    Sockets.Message message = peek(pair[1]);
    assertThat(message.descriptors()).hasSize(many.length).doesNotHaveDuplicates();
    message.descriptors().forEach(Posix::close);
    assertThat(Sockets.drop(pair[1])).isPositive();
    assertThatThrownBy(() -> Sockets.send(pair[0], "", many, 0))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aFullQueueRefuses() {
    int sent = 0;
    int result = Sockets.send(pair[0], "x", new int[0], 0);
    while (result > 0) {
      sent++;
      result = Sockets.send(pair[0], "x", new int[0], 0);
    }
    assertThat(result).isEqualTo(-Errno.EAGAIN);
    assertThat(sent).isGreaterThan(200);
  }
}

package dev.sandpiper.agent.accounts;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.sandpiper.agent.posix.Tasks;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class UsersTest {
  @TempDir Path dir;

  private Users users(String passwd, String group) throws Exception {
    return new Users(
        Files.writeString(dir.resolve("passwd"), passwd),
        Files.writeString(dir.resolve("group"), group));
  }

  @Test
  void namesAreExactAndGroupsAreThoseThatNameTheUser() throws Exception {
    Users users =
        users(
            "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:,,,:/home/ann:/bin/sh\n",
            "root:x:0:\nann:x:1000:\naudio:x:29:bob,ann\nvideo:x:44:annie\nwheel:x:10:ann\n");
    assertThat(users.find("ann"))
        .contains(
            new User("ann", 1000, 1000, java.util.List.of(1000, 29, 10), "/home/ann", "/bin/sh"));
    assertThat(users.find("Ann")).isEmpty();
    assertThat(users.find("an")).isEmpty();
    assertThat(users.find("1000")).isEmpty();
    assertThat(users.find("")).isEmpty();
    assertThat(users.groupId("audio")).contains(29);
  }

  @Test
  void largeIdsAreUnsignedAndMinusOneIsNoId() throws Exception {
    Users users = users("big:x:4294967294:5:::\nno:x:4294967295:5:::\n", "");
    assertThat(users.find("big").orElseThrow().uid()).isEqualTo(-2);
    assertThatThrownBy(() -> users.find("no")).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void brokenEntryIsQuotedAndHidesNobodyElse() throws Exception {
    Users users = users("bad:x:many:0::/:\nshort:x:1\n\n# comment\nok:x:7:8::/:/bin/sh\n", "x\n");
    assertThat(users.find("ok").orElseThrow().gid()).isEqualTo(8);
    assertThatThrownBy(() -> users.find("bad")).hasMessageContaining("bad:x:many:0::/:");
    assertThatThrownBy(() -> users.find("short")).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void changedFilesAreReadAgain() throws Exception {
    Users users = users("a:x:1:1::/:/bin/sh\n", "");
    assertThat(users.find("b")).isEmpty();
    Files.writeString(dir.resolve("passwd"), "a:x:1:1::/:/bin/sh\nb:x:2:2::/:/bin/sh\n");
    await().until(() -> users.find("b").isPresent()); // a millisecond later
    Files.writeString(dir.resolve("group"), "g:x:9:b\n");
    await().until(() -> users.find("b").orElseThrow().groups().equals(List.of(2, 9)));
  }

  @Test
  void unknownOwnNumberGetsAnEntryOfItsOwn() throws Exception {
    User self = users("x:x:77777:1::/:/bin/sh\n", "").self();
    int uid = Tasks.geteuid();
    assertThat(self.name()).isEqualTo("uid " + uid);
    assertThat(self.uid()).isEqualTo(uid);
    assertThat(self.home()).isEqualTo("/");
    assertThat(new Users(dir.resolve("none"), dir.resolve("none")).self()).isEqualTo(self);
  }
}

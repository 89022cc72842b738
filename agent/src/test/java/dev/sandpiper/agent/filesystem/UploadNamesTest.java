package dev.sandpiper.agent.filesystem;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class UploadNamesTest {
  @Test
  void knowsItsOwnNamesAndNoOthers() {
    String replacing = UploadNames.next(true);
    String creating = UploadNames.next(false);
    assertThat(replacing).isNotEqualTo(UploadNames.next(true));
    assertThat(UploadNames.isTemporary(replacing)).isTrue();
    assertThat(UploadNames.isTemporary(creating)).isTrue();
    assertThat(UploadNames.replaces(replacing)).isTrue();
    assertThat(UploadNames.replaces(creating)).isFalse();
    for (String other :
        new String[] {
          "",
          "a.txt",
          ".sandpiper-upload-",
          replacing.substring(1),
          replacing + "0",
          replacing.replace('r', 'x'),
          "x" + replacing.substring(1),
          replacing.substring(0, replacing.length() - 1) + "G"
        }) {
      assertThat(UploadNames.isTemporary(other)).as(other).isFalse();
    }
  }
}

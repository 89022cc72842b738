package dev.sandpiper.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class TrustStoreTest {
  private static final String A =
      """
      -----BEGIN CERTIFICATE-----
      MIIBjDCCATOgAwIBAgIUJA2UsSLMIb0IFfkja+1mhGS9tLgwCgYIKoZIzj0EAwIw
      GzEZMBcGA1UEAwwQU2FuZHBpcGVyIHRlc3QgQTAgFw0yNjExMjExNTE4MTFaGA8y
      MTI2MTAyODE1MTgxMVowGzEZMBcGA1UEAwwQU2FuZHBpcGVyIHRlc3QgQTBZMBMG
      ByqGSM49AgEGCCqGSM49AwEHA0IABJGpYC5huv6683LE4wemWiP6uVE+nuHKVEYz
      NEHFZOx70PZo2P4Y5I5Zl5aiBp4uJBRcJoEOfodclDnBgsMsmvujUzBRMB0GA1Ud
      DgQWBBRTG6qOpRQf6b/bEQRyIrz2hwc1ozAfBgNVHSMEGDAWgBRTG6qOpRQf6b/b
      EQRyIrz2hwc1ozAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIByQ
      1RcvF+24TOADiCdb2iaaxUTkfIsiDQeBzmOFwBMMAiAlXffdyGCcVH3mva00Bjg8
      JudcWtG9E07YbR+wULshKA==
      -----END CERTIFICATE-----
      """;
  private static final String B =
      """
      -----BEGIN CERTIFICATE-----
      MIIBjDCCATOgAwIBAgIUEpAZ3PL0Cr0gfEVAOOc3PNBbCdwwCgYIKoZIzj0EAwIw
      GzEZMBcGA1UEAwwQU2FuZHBpcGVyIHRlc3QgQjAgFw0yNjExMjExNTE4MTFaGA8y
      MTI2MTAyODE1MTgxMVowGzEZMBcGA1UEAwwQU2FuZHBpcGVyIHRlc3QgQjBZMBMG
      ByqGSM49AgEGCCqGSM49AwEHA0IABN7awJNXSABO9zApLqRS4K2GvmapbE9vknsv
      iQt4dkbPFvJan9Gyn5d64V0p1Z8SxQrAq7kv67rUdGo/ZurHfJajUzBRMB0GA1Ud
      DgQWBBSKECwQDKank23R2kB+0bfCgu1B8DAfBgNVHSMEGDAWgBSKECwQDKank23R
      2kB+0bfCgu1B8DAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIFE6
      EHqyqo8rREA9kEoRgLXE3qAkounJTBA9KKvYD6SQAiBwrT1DRoRhNz1cN6arIWRW
      8aYiCyxfKi8a/X2aCIqarw==
      -----END CERTIFICATE-----
      """;

  @TempDir Path directory;
  private Path bundle;
  private Path own;
  private TrustStore store;

  @BeforeEach
  void setUp() throws IOException {
    bundle = Files.writeString(directory.resolve("ca-certificates.crt"), "what was there");
    own = directory.resolve("local/e2b-ca.crt");
    store = new TrustStore(bundle, own);
  }

  @Test
  void certificatesAreAppendedOnANewLineAndKept() throws IOException {
    assertThat(store.install(A.stripTrailing())).isTrue();
    assertThat(bundle).hasContent("what was there\n" + A);
    assertThat(own).hasContent(A);
    assertThat(Files.getPosixFilePermissions(bundle))
        .isEqualTo(PosixFilePermissions.fromString("rw-r--r--"));
    assertThat(directory.toFile().list()).as("no debris").hasSize(2);
  }

  @Test
  void theSameOnceMoreChangesNothing() throws IOException {
    store.install(A);
    Object before = Files.getAttribute(bundle, "unix:ino");
    assertThat(store.install(A)).isFalse();
    assertThat(Files.getAttribute(bundle, "unix:ino")).isEqualTo(before);
  }

  @Test
  void newOnesReplaceThoseOfBeforeAndNoOthers() throws IOException {
    store.install(A);
    Files.writeString(bundle, Files.readString(bundle) + "added by another\n");
    assertThat(store.install(B)).isTrue();
    assertThat(bundle).hasContent("what was there\nadded by another\n" + B);
    assertThat(own).hasContent(B);
  }

  @Test
  void aStoreThatWasMadeAnewGetsThemBack() throws IOException {
    store.install(A);
    Files.writeString(bundle, "made anew\n");
    assertThat(store.install(A)).isTrue();
    assertThat(bundle).hasContent("made anew\n" + A);
  }

  @Test
  void aLinkToTheStoreStaysOne() throws IOException {
    Path link = Files.createSymbolicLink(directory.resolve("link"), bundle);
    new TrustStore(link, own).install(A);
    assertThat(link).isSymbolicLink();
    assertThat(bundle).hasContent("what was there\n" + A);
  }

  @Test
  void whatIsNoCertificateIsRefusedAndChangesNothing() {
    for (String wrong :
        new String[] {
          "not a pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ü"
        }) {
      assertThatThrownBy(() -> store.install(wrong))
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("it is not PEM");
    }
    assertThat(bundle).hasContent("what was there");
    assertThat(own).doesNotExist();
  }

  @Test
  void aMissingStoreIsNamed() throws IOException {
    Files.delete(bundle);
    assertThatThrownBy(() -> store.install(A)).hasMessageContaining(bundle + " is not there");
    assertThat(bundle).doesNotExist();
  }
}

package dev.sandpiper.agent.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// With certificates that the JDK's own `keytool` makes.
final class TlsTest {
  private static final char[] PASSWORD = "password".toCharArray();

  @TempDir private Path directory;

  private record Identity(Path certificate, Path key, X509Certificate x509) {}

  private Identity identity(String name, String algorithm) throws Exception {
    Path store = directory.resolve(name + ".p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "a",
                "-keyalg",
                algorithm,
                "-dname",
                "CN=" + name,
                "-ext",
                "san=dns:localhost,ip:127.0.0.1",
                "-storetype",
                "PKCS12",
                "-keystore",
                store.toString(),
                "-storepass",
                new String(PASSWORD))
            .redirectErrorStream(true)
            .start();
    String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(keytool.waitFor()).as(said).isZero();
    KeyStore keys = KeyStore.getInstance(store.toFile(), PASSWORD);
    Certificate certificate = keys.getCertificate("a");
    return new Identity(
        pem(name + ".crt", "CERTIFICATE", certificate.getEncoded()),
        pem(name + ".key", "PRIVATE KEY", ((PrivateKey) keys.getKey("a", PASSWORD)).getEncoded()),
        (X509Certificate) certificate);
  }

  private Path pem(String file, String kind, byte[] der) throws IOException {
    String text =
        "-----BEGIN "
            + kind
            + "-----\n"
            + Base64.getMimeEncoder().encodeToString(der)
            + "\n-----END "
            + kind
            + "-----\n";
    return Files.writeString(directory.resolve(file), text);
  }

  private static HttpServer serve(TlsSettings tls) throws IOException {
    var router =
        new Router()
            .route("GET", "/", e -> Responses.text(e, 200, e.protocol() + " " + e.isSecure()));
    var settings =
        HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).withTls(tls);
    var server = new HttpServer(settings, router);
    server.bind();
    return server;
  }

  private static HttpClient client(HttpClient.Version version, X509Certificate trusted)
      throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setCertificateEntry("server", trusted);
    var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return HttpClient.newBuilder().version(version).sslContext(context).build();
  }

  private static String get(HttpClient client, HttpServer server) throws Exception {
    var request =
        HttpRequest.newBuilder(URI.create("https://localhost:" + server.port() + "/")).build();
    return client.send(request, HttpResponse.BodyHandlers.ofString()).body();
  }

  @ParameterizedTest
  @EnumSource
  void alpnChoosesTheProtocol(HttpClient.Version version) throws Exception {
    if (version != HttpClient.Version.HTTP_1_1 && version != HttpClient.Version.HTTP_2) {
      return; // what a newer JDK may add
    }
    Identity us = identity("us", "EC");
    try (var server = serve(new TlsSettings(us.certificate, us.key, null));
        var client = client(version, us.x509)) {
      assertThat(get(client, server)).isEqualTo(version + " true\n");
    }
  }

  @Test
  void aClientWithoutACertificateIsTurnedAwayWhereOneIsDemanded() throws Exception {
    Identity us = identity("us", "RSA");
    Identity authority = identity("authority", "RSA");
    try (var server = serve(new TlsSettings(us.certificate, us.key, authority.certificate));
        var client = client(HttpClient.Version.HTTP_1_1, us.x509)) {
      assertThatThrownBy(() -> get(client, server)).isInstanceOf(IOException.class);
    }
  }

  @Test
  void filesThatCannotBeUsedAreNamedAtStart() throws Exception {
    Identity us = identity("us", "EC");
    Path nothing = Files.writeString(directory.resolve("nothing.pem"), "nothing\n");
    Path missing = directory.resolve("missing.pem");
    assertThatThrownBy(() -> serve(new TlsSettings(nothing, us.key, null)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("nothing.pem");
    assertThatThrownBy(() -> serve(new TlsSettings(us.certificate, nothing, null)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("nothing.pem");
    assertThatThrownBy(() -> serve(new TlsSettings(us.certificate, us.key, missing)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("missing.pem");
  }

  @Test
  void changedFilesAreReadAgainAndBadOnesRefused() throws Exception {
    Identity first = identity("first", "EC");
    Identity second = identity("second", "EC");
    var clock = new AtomicLong();
    var context = new TlsContext(new TlsSettings(first.certificate, first.key, null), clock::get);
    var old = context.current();
    Files.writeString(first.certificate, "nothing\n");
    assertThat(context.current()).as("looked at once a second").isSameAs(old);
    clock.addAndGet(TimeUnit.SECONDS.toNanos(2));
    assertThat(context.current()).as("bad files are refused").isSameAs(old);
    Files.copy(
        second.certificate, first.certificate, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    Files.copy(second.key, first.key, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    Files.setLastModifiedTime(first.key, FileTime.from(Instant.ofEpochSecond(1)));
    clock.addAndGet(TimeUnit.SECONDS.toNanos(2));
    assertThat(context.current()).isNotSameAs(old);
  }

  @Test
  void theOlderFormOfRsaKeysIsReadToo() throws Exception {
    PrivateKey key = PemKey.read(identity("us", "RSA").key);
    byte[] pkcs8 = key.getEncoded();
    // PKCS #8 ends with an octet string that holds the older form: 26 bytes of version, algorithm
    // and lengths before it.
    Path old = pem("old.key", "RSA PRIVATE KEY", Arrays.copyOfRange(pkcs8, 26, pkcs8.length));
    assertThat(PemKey.read(old)).isEqualTo(key);
  }

  @Test
  void theOlderFormOfEcKeysIsReadToo() throws Exception {
    var key = (ECPrivateKey) PemKey.read(identity("us", "EC").key);
    byte[] number = key.getS().toByteArray();
    byte[] curve = HexFormat.of().parseHex("06052b81040022"); // secp384r1, keytool's choice
    assertThat(key.getParams().toString()).contains("1.3.132.0.34");
    var der = new ByteArrayOutputStream();
    der.writeBytes(
        new byte[] {
          0x30, (byte) (3 + 2 + number.length + 2 + curve.length), 2, 1, 1, 4, (byte) number.length
        });
    der.writeBytes(number);
    der.writeBytes(new byte[] {(byte) 0xa0, (byte) curve.length});
    der.writeBytes(curve);
    Path old = pem("old.key", "EC PRIVATE KEY", der.toByteArray());
    assertThat(((ECPrivateKey) PemKey.read(old)).getS()).isEqualTo(key.getS());
  }
}

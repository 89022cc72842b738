package dev.sandpiper.agent.http;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.file.StandardCopyOption.REPLACE_EXISTING;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.FileChannel;
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
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// With certificates that the JDK's own `keytool` makes.
final class TlsTest {
  private static final char[] PASSWORD = "password".toCharArray();

  @TempDir private Path directory;

  private record Identity(Path certificate, Path key, X509Certificate x509) {}

  /// Made once for all tests: `keytool` takes a second of processor time.
  private static final Map<String, KeyStore> MADE = new ConcurrentHashMap<>();

  private Identity identity(String name, String algorithm) throws Exception {
    KeyStore keys = MADE.get(name + algorithm);
    if (keys == null) {
      keys = make(name, algorithm);
      MADE.put(name + algorithm, keys);
    }
    Certificate certificate = keys.getCertificate("a");
    return new Identity(
        pem(name + ".crt", "CERTIFICATE", certificate.getEncoded()),
        pem(name + ".key", "PRIVATE KEY", ((PrivateKey) keys.getKey("a", PASSWORD)).getEncoded()),
        (X509Certificate) certificate);
  }

  private KeyStore make(String name, String algorithm) throws Exception {
    Path store = directory.resolve(name + ".p12");
    Files.deleteIfExists(store);
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-J-XX:TieredStopAtLevel=1",
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
    return KeyStore.getInstance(store.toFile(), PASSWORD);
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

  private static PrivateKey key(Path file) throws IOException {
    return PemKey.read(new TlsFile(ListenSettings.TLS_KEY, file));
  }

  private static HttpServer serve(TlsSettings tls) throws IOException {
    return serve(tls, e -> Responses.text(e, 200, e.protocol() + " " + e.isSecure()));
  }

  private static HttpServer serve(TlsSettings tls, HttpHandler handler) throws IOException {
    var router = new Router().route("GET", "/", handler);
    var settings =
        HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).withTls(tls);
    var server = new HttpServer(settings, router);
    server.bind();
    return server;
  }

  private static HttpClient client(
      HttpClient.Version version, X509Certificate trusted, @Nullable Identity own)
      throws Exception {
    return HttpClient.newBuilder().version(version).sslContext(trusting(trusted, own)).build();
  }

  private static SSLContext trusting(X509Certificate trusted, @Nullable Identity own)
      throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setCertificateEntry("server", trusted);
    var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    KeyStore ours = KeyStore.getInstance("PKCS12");
    ours.load(null, null);
    if (own != null) {
      ours.setKeyEntry("us", key(own.key), PASSWORD, new Certificate[] {own.x509});
    }
    keys.init(ours, PASSWORD);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    return context;
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
        var client = client(version, us.x509, null)) {
      assertThat(get(client, server)).isEqualTo(version + " true\n");
    }
  }

  /// Parts of a file, some at a time; each that was let go of brings the next.
  private static final class Parts {
    static final int BYTES = 200_000;
    static final int COUNT = 24;

    private final HttpExchange exchange;
    private final FileChannel file;
    private int next;

    Parts(HttpExchange exchange, FileChannel file) {
      this.exchange = exchange;
      this.file = file;
    }

    void go() {
      if (next < COUNT) {
        int at = next++;
        exchange.writeFile(null, file, (long) at * BYTES, BYTES, this::go);
        if (at == COUNT - 1) {
          exchange.end();
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatIsWrittenAsAFileIsLetGoOfComesLast(HttpClient.Version version) throws Exception {
    if (version != HttpClient.Version.HTTP_1_1 && version != HttpClient.Version.HTTP_2) {
      return; // what a newer JDK may add
    }
    Identity us = identity("us", "EC");
    byte[] content = new byte[Parts.COUNT * Parts.BYTES];
    new Random(9).nextBytes(content);
    Path path = Files.write(directory.resolve("content"), content);
    try (FileChannel file = FileChannel.open(path);
        var server =
            serve(
                new TlsSettings(us.certificate, us.key, null),
                exchange -> {
                  exchange.sendHead(200, new Headers());
                  Parts parts = new Parts(exchange, file);
                  for (int i = 0; i < 3; i++) {
                    parts.go();
                  }
                });
        var client = client(version, us.x509, null)) {
      var request =
          HttpRequest.newBuilder(URI.create("https://localhost:" + server.port() + "/")).build();
      assertThat(client.send(request, HttpResponse.BodyHandlers.ofByteArray()).body())
          .isEqualTo(content);
    }
  }

  @Test
  void aClientWithoutACertificateIsTurnedAwayWhereOneIsDemanded() throws Exception {
    Identity us = identity("us", "RSA");
    Identity authority = identity("authority", "RSA");
    try (var server = serve(new TlsSettings(us.certificate, us.key, authority.certificate));
        var client = client(HttpClient.Version.HTTP_1_1, us.x509, null)) {
      assertThatThrownBy(() -> get(client, server)).isInstanceOf(IOException.class);
    }
  }

  @Test
  void aClientWithACertificateOfTheAuthorityIsServed() throws Exception {
    Identity us = identity("us", "EC");
    Identity them = identity("them", "EC");
    try (var server = serve(new TlsSettings(us.certificate, us.key, them.certificate));
        var client = client(HttpClient.Version.HTTP_1_1, us.x509, them)) {
      assertThat(get(client, server)).isEqualTo("HTTP_1_1 true\n");
    }
  }

  @Test
  void plainTextIsAnsweredAndNotServed() throws Exception {
    Identity us = identity("us", "EC");
    try (var server = serve(new TlsSettings(us.certificate, us.key, null))) {
      for (String words : List.of("GET / HTTP/1.1\nHost: x\n\n", "PRI * HTTP/2.0\n\nSM\n\n", "x")) {
        try (var client = new RawClient(server.port())) {
          var answer = client.send(words).read();
          assertThat(answer.status()).isEqualTo(400);
          assertThat(answer.text()).isEqualTo("this port speaks TLS: use https\n");
          assertThat(client.in().read()).isEqualTo(-1);
        }
      }
    }
  }

  @Test
  void aClientThatGoesIsNoticedWhileAResponseStreams() throws Exception {
    Identity us = identity("us", "EC");
    var gone = new CountDownLatch(1);
    var router =
        new Router()
            .route(
                "GET",
                "/",
                exchange -> {
                  exchange.listen(
                      new HttpExchange.Listener() {
                        @Override
                        public void onData(ByteBuf data) {}

                        @Override
                        public void onEnd(Headers trailers) {}

                        @Override
                        public void onAborted() {
                          gone.countDown();
                        }
                      });
                  exchange.sendHead(200, new Headers());
                  exchange.write(exchange.newBuffer(1).writeByte('x'));
                });
    var settings =
        HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .withTls(new TlsSettings(us.certificate, us.key, null));
    try (var server = new HttpServer(settings, router)) {
      server.bind();
      try (var socket =
          trusting(us.x509, null)
              .getSocketFactory()
              .createSocket(InetAddress.getLoopbackAddress(), server.port())) {
        socket.getOutputStream().write("GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(US_ASCII));
        assertThat(socket.getInputStream().read()).isEqualTo('H');
      }
      assertThat(gone.await(60, TimeUnit.SECONDS)).isTrue();
    }
  }

  private void refused(
      @Nullable Path certificate, @Nullable Path key, @Nullable Path clientCa, String message)
      throws Exception {
    Identity good = identity("good", "EC");
    var settings =
        new TlsSettings(
            certificate == null ? good.certificate : certificate,
            key == null ? good.key : key,
            clientCa);
    assertThatThrownBy(() -> serve(settings))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(message.replace("DIR", directory.toString()));
  }

  @Test
  void filesThatCannotBeUsedAreNamedAtStartWithTheirSetting() throws Exception {
    Path nothing = Files.writeString(directory.resolve("nothing.pem"), "nothing\n");
    Path missing = directory.resolve("missing.pem");
    Path damaged = pem("damaged.pem", "CERTIFICATE", new byte[] {1, 2, 3});
    Identity one = identity("one", "EC");
    Path mixed =
        Files.writeString(
            directory.resolve("mixed.pem"),
            Files.readString(one.certificate)
                + Files.readString(identity("other", "EC").certificate));
    refused(nothing, null, null, "--tls-cert: 'DIR/nothing.pem' holds no certificate in PEM form");
    refused(missing, null, null, "--tls-cert: 'DIR/missing.pem' does not exist");
    refused(damaged, null, null, "--tls-cert: 'DIR/damaged.pem' holds a damaged certificate");
    refused(
        mixed,
        one.key,
        null,
        "--tls-cert: 'DIR/mixed.pem' cannot be used: Certificate chain is not valid");
    refused(directory, null, null, "--tls-cert: 'DIR' is not a file");
    refused(null, nothing, null, "--tls-key: 'DIR/nothing.pem' holds no private key in PEM form");
    refused(null, missing, null, "--tls-key: 'DIR/missing.pem' does not exist");
    refused(null, null, nothing, "--tls-client-ca: 'DIR/nothing.pem' holds no certificate");
    refused(null, null, missing, "--tls-client-ca: 'DIR/missing.pem' does not exist");
  }

  @Test
  void keysThatCannotBeUsedAreNamedAtStart() throws Exception {
    refused(
        null,
        pem("damaged.key", "PRIVATE KEY", new byte[] {1, 2, 3}),
        null,
        "--tls-key: 'DIR/damaged.key' holds no RSA, EC or EdDSA private key, or a damaged one");
    refused(
        null,
        pem("encrypted.key", "ENCRYPTED PRIVATE KEY", new byte[] {1, 2, 3}),
        null,
        "--tls-key: 'DIR/encrypted.key' holds an encrypted private key");
    Path old =
        Files.writeString(
            directory.resolve("old.key"),
            """
            -----BEGIN RSA PRIVATE KEY-----
            Proc-Type: 4,ENCRYPTED
            DEK-Info: AES-128-CBC,00

            AAAA
            -----END RSA PRIVATE KEY-----
            """);
    refused(null, old, null, "--tls-key: 'DIR/old.key' holds an encrypted private key");
    for (String algorithm : List.of("EC", "RSA")) {
      refused(
          null,
          identity("other" + algorithm, algorithm).key,
          null,
          ".key' is not the key of the certificate in 'DIR/good.crt' (--tls-cert)");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"EC", "RSA", "Ed25519"})
  void aChainAndItsKeyMayStandInOneFileAmongOtherText(String algorithm) throws Exception {
    Identity us = identity("us", algorithm);
    Path all =
        Files.writeString(
            directory.resolve("all.pem"),
            "subject: \u00fc-\n"
                + Files.readString(us.key)
                + Files.readString(us.certificate)
                + "issuer: -\n");
    try (var server = serve(new TlsSettings(all, all, null));
        var client = client(HttpClient.Version.HTTP_2, us.x509, null)) {
      assertThat(get(client, server)).isEqualTo("HTTP_2 true\n");
    }
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
    Files.copy(second.certificate, first.certificate, REPLACE_EXISTING);
    clock.addAndGet(TimeUnit.SECONDS.toNanos(2));
    assertThat(context.current()).as("the key is still the old one").isSameAs(old);
    Files.delete(first.key);
    clock.addAndGet(TimeUnit.SECONDS.toNanos(2));
    assertThat(context.current()).as("no key at all").isSameAs(old);
    Files.copy(second.key, first.key);
    Files.setLastModifiedTime(first.key, FileTime.from(Instant.ofEpochSecond(1)));
    clock.addAndGet(TimeUnit.SECONDS.toNanos(2));
    assertThat(context.current()).isNotSameAs(old);
  }

  @Test
  void theOlderFormOfRsaKeysIsReadToo() throws Exception {
    PrivateKey key = key(identity("us", "RSA").key);
    byte[] pkcs8 = key.getEncoded();
    // PKCS #8 ends with an octet string that holds the older form: 26 bytes of version, algorithm
    // and lengths before it.
    Path old = pem("old.key", "RSA PRIVATE KEY", Arrays.copyOfRange(pkcs8, 26, pkcs8.length));
    assertThat(key(old)).isEqualTo(key);
  }

  @Test
  void theOlderFormOfEcKeysIsReadToo() throws Exception {
    var key = (ECPrivateKey) key(identity("us", "EC").key);
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
    assertThat(((ECPrivateKey) key(old)).getS()).isEqualTo(key.getS());
  }
}

package dev.sandpiper.agent.http;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The certificate, key and authorities that new connections get. When one of the files changes, all are read again;
/// files that do not fit together are refused with a log line, one for each change, and the old ones stay in use.
///
/// Looked at when a connection comes in, at most once a second: certificates change rarely, and always before they are
/// needed.
final class TlsContext {
  private static final Logger log = LoggerFactory.getLogger("http");
  private static final long CHECK_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final Pattern CERTIFICATE =
      Pattern.compile("-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----");

  private final TlsFile certificate;
  private final TlsFile key;
  private final @Nullable TlsFile clientCa;
  private final LongSupplier nanoTime;

  @GuardedBy("this")
  private SslContext context;

  @GuardedBy("this")
  private List<TlsFile.Stamp> stamps;

  @GuardedBy("this")
  private long checkedAt;

  /// @throws TlsFile.Unusable naming the setting and the file that cannot be used
  TlsContext(TlsSettings settings, LongSupplier nanoTime) throws IOException {
    this.certificate = new TlsFile(ListenSettings.TLS_CERT, settings.certificate());
    this.key = new TlsFile(ListenSettings.TLS_KEY, settings.key());
    this.clientCa =
        settings.clientCa() == null
            ? null
            : new TlsFile(ListenSettings.TLS_CLIENT_CA, settings.clientCa());
    this.nanoTime = nanoTime;
    this.stamps = stamps();
    this.context = read();
    this.checkedAt = nanoTime.getAsLong();
  }

  synchronized SslContext current() {
    long now = nanoTime.getAsLong();
    if (now - checkedAt >= CHECK_NANOS) {
      checkedAt = now;
      // Before the files are read: what changes in between is seen the next time.
      List<TlsFile.Stamp> found = stamps();
      if (!found.equals(stamps)) {
        stamps = found; // also if they are refused: one log line for each change
        try {
          context = read();
        } catch (IOException e) {
          log.error(
              "TLS: the changed files are refused, the old ones stay in use: {}", e.getMessage());
        }
      }
    }
    return context;
  }

  private List<TlsFile.Stamp> stamps() {
    List<TlsFile.Stamp> found = new ArrayList<>(3);
    found.add(certificate.stamp());
    found.add(key.stamp());
    if (clientCa != null) {
      found.add(clientCa.stamp());
    }
    return found;
  }

  private SslContext read() throws IOException {
    X509Certificate[] chain = certificates(certificate);
    PrivateKey secret = PemKey.read(key);
    requireMatch(secret, chain[0]);
    try {
      SslContextBuilder builder =
          SslContextBuilder.forServer(secret, chain)
              .sslProvider(SslProvider.JDK)
              .applicationProtocolConfig(
                  new ApplicationProtocolConfig(
                      Protocol.ALPN,
                      SelectorFailureBehavior.NO_ADVERTISE,
                      SelectedListenerFailureBehavior.ACCEPT,
                      ApplicationProtocolNames.HTTP_2,
                      ApplicationProtocolNames.HTTP_1_1));
      if (clientCa != null) {
        builder.trustManager(certificates(clientCa)).clientAuth(ClientAuth.REQUIRE);
      }
      SslContext made = builder.build();
      log.info(
          "TLS: new connections get the certificate with serial number {} of {}, valid until {}",
          chain[0].getSerialNumber().toString(16),
          certificate.path(),
          chain[0].getNotAfter().toInstant());
      return made;
    } catch (SSLException | IllegalArgumentException e) {
      Throwable root = e; // Netty's own words say nothing
      while (root.getCause() != null) {
        root = root.getCause();
      }
      throw certificate.unusable("cannot be used: " + root.getMessage(), e);
    }
  }

  /// Else every handshake would fail, and nobody but the clients would know.
  private void requireMatch(PrivateKey secret, X509Certificate leaf) throws IOException {
    String algorithm =
        switch (secret.getAlgorithm()) {
          case "RSA" -> "SHA256withRSA";
          case "EC" -> "SHA256withECDSA";
          default -> secret.getAlgorithm();
        };
    byte[] words = "the same pair".getBytes(StandardCharsets.US_ASCII);
    boolean matches;
    try {
      Signature signature = Signature.getInstance(algorithm);
      signature.initSign(secret);
      signature.update(words);
      byte[] signed = signature.sign();
      signature.initVerify(leaf.getPublicKey());
      signature.update(words);
      matches = signature.verify(signed);
    } catch (GeneralSecurityException e) {
      throw notOf(e); // another kind of key
    }
    if (!matches) {
      throw notOf(null);
    }
  }

  private TlsFile.Unusable notOf(@Nullable Throwable cause) {
    return key.unusable(
        "is not the key of the certificate in '"
            + certificate.path()
            + "' ("
            + certificate.setting()
            + ")",
        cause);
  }

  private static X509Certificate[] certificates(TlsFile file) throws IOException {
    Matcher blocks = CERTIFICATE.matcher(file.text());
    List<X509Certificate> found = new ArrayList<>(2);
    try {
      while (blocks.find()) {
        byte[] block = blocks.group().getBytes(StandardCharsets.ISO_8859_1);
        found.add(
            (X509Certificate)
                CertificateFactory.getInstance("X.509")
                    .generateCertificate(new ByteArrayInputStream(block)));
      }
    } catch (CertificateException e) {
      throw file.unusable(
          "holds a damaged certificate (number " + (found.size() + 1) + "): " + e.getMessage(), e);
    }
    if (found.isEmpty()) {
      throw file.unusable("holds no certificate in PEM form", null);
    }
    return found.toArray(X509Certificate[]::new);
  }
}

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
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import javax.net.ssl.SSLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The certificate, key and authorities that new connections get. When one of the files changes, all are read again;
/// files that do not fit together are refused with a log line, and the old ones stay in use.
///
/// Looked at when a connection comes in, at most once a second: certificates change rarely, and always before they are
/// needed.
final class TlsContext {
  private static final Logger log = LoggerFactory.getLogger("http");
  private static final long CHECK_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final TlsSettings settings;
  private final LongSupplier nanoTime;

  @GuardedBy("this")
  private SslContext context;

  @GuardedBy("this")
  private List<Stamp> stamps;

  @GuardedBy("this")
  private long checkedAt;

  private record Stamp(Path file, FileTime modified, long bytes) {}

  /// @throws IOException naming the file that cannot be used
  TlsContext(TlsSettings settings, LongSupplier nanoTime) throws IOException {
    this.settings = settings;
    this.nanoTime = nanoTime;
    this.stamps = stamps(settings);
    this.context = read(settings);
    this.checkedAt = nanoTime.getAsLong();
  }

  synchronized SslContext current() {
    long now = nanoTime.getAsLong();
    if (now - checkedAt >= CHECK_NANOS) {
      checkedAt = now;
      try {
        List<Stamp> found = stamps(settings);
        if (!found.equals(stamps)) {
          stamps = found; // also if they are refused: one log line for each change
          context = read(settings);
          log.info("TLS: read {} and {} again", settings.certificate(), settings.key());
        }
      } catch (IOException e) {
        log.error(
            "TLS: the changed files are refused, the old ones stay in use: {}", e.getMessage());
      }
    }
    return context;
  }

  private static List<Stamp> stamps(TlsSettings settings) throws IOException {
    List<Stamp> stamps = new ArrayList<>(3);
    stamps.add(stamp(settings.certificate()));
    stamps.add(stamp(settings.key()));
    Path authorities = settings.clientCa();
    if (authorities != null) {
      stamps.add(stamp(authorities));
    }
    return stamps;
  }

  private static Stamp stamp(Path file) throws IOException {
    try {
      return new Stamp(file, Files.getLastModifiedTime(file), Files.size(file));
    } catch (IOException e) {
      throw new IOException("cannot read " + file + ": " + e, e);
    }
  }

  private static SslContext read(TlsSettings settings) throws IOException {
    try {
      SslContextBuilder builder =
          SslContextBuilder.forServer(
                  PemKey.read(settings.key()), certificates(settings.certificate()))
              .sslProvider(SslProvider.JDK)
              .applicationProtocolConfig(
                  new ApplicationProtocolConfig(
                      Protocol.ALPN,
                      SelectorFailureBehavior.NO_ADVERTISE,
                      SelectedListenerFailureBehavior.ACCEPT,
                      ApplicationProtocolNames.HTTP_2,
                      ApplicationProtocolNames.HTTP_1_1));
      Path authorities = settings.clientCa();
      if (authorities != null) {
        builder.trustManager(certificates(authorities)).clientAuth(ClientAuth.REQUIRE);
      }
      return builder.build();
    } catch (SSLException | IllegalArgumentException e) {
      throw new IOException(
          "certificate "
              + settings.certificate()
              + " and key "
              + settings.key()
              + ": "
              + e.getMessage(),
          e);
    }
  }

  private static X509Certificate[] certificates(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      X509Certificate[] found =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(in)
              .toArray(X509Certificate[]::new);
      if (found.length == 0) {
        throw new IOException(file + " holds no certificate");
      }
      return found;
    } catch (CertificateException e) {
      throw new IOException(file + " holds no valid certificates: " + e.getMessage(), e);
    }
  }
}

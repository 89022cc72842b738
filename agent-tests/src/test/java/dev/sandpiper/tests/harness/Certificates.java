package dev.sandpiper.tests.harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/// Certificates and keys made on the spot by the JDK's `keytool`, as PEM files in one directory.
public final class Certificates {
  private static final String PASSWORD = "password";

  /// What was made so far, by what `keytool` was asked for. It takes most of a second, so it is asked once.
  private static final Map<List<String>, KeyStore> MADE = new HashMap<>();

  private static @Nullable Path store;

  private final Path directory;

  public Certificates(Path directory) {
    this.directory = directory;
  }

  /// A certificate with its key; `chain` begins with the certificate itself.
  public record Identity(
      Path certificate, Path key, PrivateKey secret, List<X509Certificate> chain) {
    public X509Certificate x509() {
      return chain.getFirst();
    }

    public String serial() {
      return x509().getSerialNumber().toString(16);
    }
  }

  /// One that signs others.
  public Identity authority(String name) {
    return make(name, List.of("-ext", "bc:c"));
  }

  /// For `localhost` and the loopback's address, signed by itself.
  public Identity identity(String name) {
    return make(name, List.of("-ext", "san=dns:localhost,ip:127.0.0.1"));
  }

  /// The same, signed by an authority made here.
  public Identity identity(String name, String authority) {
    return make(name, List.of("-ext", "san=dns:localhost,ip:127.0.0.1", "-signer", authority));
  }

  private static synchronized KeyStore made(String name, List<String> more) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
    command.addAll(List.of("-J-XX:TieredStopAtLevel=1", "-genkeypair"));
    command.addAll(List.of("-alias", name, "-dname", "CN=" + name));
    command.addAll(List.of("-keyalg", "EC", "-groupname", "secp256r1", "-storetype", "PKCS12"));
    command.addAll(more);
    KeyStore keys = MADE.get(command);
    if (keys != null) {
      return keys;
    }
    if (store == null) {
      Path directory = Files.createTempDirectory("sandpiper-test-keys-");
      directory.toFile().deleteOnExit();
      store = directory.resolve("keys.p12");
      store.toFile().deleteOnExit();
    }
    List<String> asked = List.copyOf(command);
    command.addAll(List.of("-keystore", store.toString(), "-storepass", PASSWORD));
    Shell.run(command.toArray(String[]::new)).requireSuccess();
    try {
      keys = KeyStore.getInstance(store.toFile(), PASSWORD.toCharArray());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
    MADE.put(asked, keys);
    return keys;
  }

  private Identity make(String name, List<String> more) {
    try {
      KeyStore keys = made(name, more);
      PrivateKey secret = (PrivateKey) keys.getKey(name, PASSWORD.toCharArray());
      List<X509Certificate> chain = new ArrayList<>();
      StringBuilder text = new StringBuilder();
      for (Certificate certificate : keys.getCertificateChain(name)) {
        chain.add((X509Certificate) certificate);
        text.append(pem("CERTIFICATE", certificate.getEncoded()));
      }
      return new Identity(
          write(name + ".crt", text.toString()),
          write(name + ".key", pem("PRIVATE KEY", secret.getEncoded())),
          secret,
          List.copyOf(chain));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  public static String pem(String kind, byte[] der) {
    return "-----BEGIN "
        + kind
        + "-----\n"
        + Base64.getMimeEncoder().encodeToString(der)
        + "\n-----END "
        + kind
        + "-----\n";
  }

  /// A file beside the others.
  public Path write(String name, String text) {
    try {
      return Files.writeString(directory.resolve(name), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// What a client needs that trusts these servers and shows its own certificate where it has one.
  public static SSLContext client(@Nullable Identity own, Identity... servers) {
    try {
      KeyStore trusted = KeyStore.getInstance("PKCS12");
      trusted.load(null, null);
      for (Identity server : servers) {
        trusted.setCertificateEntry("server " + server.serial(), server.chain.getLast());
      }
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(trusted);
      KeyStore ours = KeyStore.getInstance("PKCS12");
      ours.load(null, null);
      if (own != null) {
        Certificate[] chain = own.chain.toArray(Certificate[]::new);
        ours.setKeyEntry("own", own.secret, PASSWORD.toCharArray(), chain);
      }
      KeyManagerFactory keys =
          KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(ours, PASSWORD.toCharArray());
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
      return context;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}

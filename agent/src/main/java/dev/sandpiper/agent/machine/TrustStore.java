package dev.sandpiper.agent.machine;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import org.jspecify.annotations.Nullable;

/// The certificates that the sandbox's programs trust, as Debian and its kin keep them: one file that programs read, and a
/// directory from which `update-ca-certificates` makes it anew.
///
/// Certificates of ours replace those that we put there before. Files are written beside and renamed, so that no program
/// ever reads half of one. Needs root, and blocks: one thread at a time, no event loop.
public final class TrustStore {
  private final Path bundle;
  private final Path own;

  /// @param bundle the file that programs read, which must be there
  /// @param own ours alone, in the directory for local additions
  public TrustStore(Path bundle, Path own) {
    this.bundle = bundle;
    this.own = own;
  }

  /// The system's.
  public static TrustStore ofSystem() {
    return new TrustStore(
        Path.of("/etc/ssl/certs/ca-certificates.crt"),
        Path.of("/usr/local/share/ca-certificates/e2b-ca.crt"));
  }

  /// Makes the programs of this machine trust the certificates.
  ///
  /// @param pem one or more of them
  /// @return false if they were there already
  /// @throws IOException saying what cannot be done and why; nothing has changed then
  public boolean install(String pem) throws IOException {
    String added = pem.endsWith("\n") ? pem : pem + "\n";
    requireCertificates(added);
    Path real;
    try {
      real = bundle.toRealPath(); // a link to it stays one
    } catch (NoSuchFileException e) {
      throw new IOException(bundle + " is not there (the package ca-certificates brings it)", e);
    }
    try {
      String before = Files.readString(real, StandardCharsets.ISO_8859_1);
      String previous = readIfThere(own);
      String rest =
          previous == null || previous.isEmpty() || previous.equals(added)
              ? before
              : before.replace(previous, "");
      boolean there = rest.contains(added);
      if (there && added.equals(previous)) {
        return false;
      }
      if (!there) {
        rest = (rest.isEmpty() || rest.endsWith("\n") ? rest : rest + "\n") + added;
      }
      if (!rest.equals(before)) {
        replace(real, rest);
      }
      Path directory = own.getParent();
      if (directory != null) {
        Files.createDirectories(directory);
      }
      replace(own, added);
      return true;
    } catch (AccessDeniedException e) {
      throw new IOException(
          "the agent's user may not change "
              + e.getFile()
              + "; the agent has to run as root for it",
          e);
    }
  }

  private static void requireCertificates(String pem) throws IOException {
    if (!pem.chars().allMatch(c -> c < 128)) {
      throw new IOException("it is not PEM: it holds characters that PEM does not");
    }
    try {
      int found =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(
                  new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)))
              .size();
      if (found == 0) {
        throw new IOException("it is not PEM: there is no certificate in it");
      }
    } catch (CertificateException e) {
      throw new IOException("it is not PEM: no certificates can be read from it", e);
    }
  }

  private static @Nullable String readIfThere(Path file) throws IOException {
    try {
      return Files.readString(file, StandardCharsets.ISO_8859_1);
    } catch (NoSuchFileException _) {
      return null;
    }
  }

  private static void replace(Path file, String content) throws IOException {
    Path directory = file.toAbsolutePath().getParent();
    if (directory == null) {
      throw new IOException(file + " has no directory");
    }
    Path beside = Files.createTempFile(directory, ".sandpiper-", ".tmp");
    try {
      try (FileChannel channel = FileChannel.open(beside, StandardOpenOption.WRITE)) {
        ByteBuffer bytes = ByteBuffer.wrap(content.getBytes(StandardCharsets.ISO_8859_1));
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
        channel.force(true);
      }
      Files.setPosixFilePermissions(beside, PosixFilePermissions.fromString("rw-r--r--"));
      Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (AtomicMoveNotSupportedException e) {
      throw new IOException(file + " cannot be replaced in one step: " + e.getReason(), e);
    } finally {
      Files.deleteIfExists(beside);
    }
  }
}

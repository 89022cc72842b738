package dev.sandpiper.agent.http;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads a private key from a PEM file: PKCS #8, and the older forms of RSA (PKCS #1) and EC (SEC 1) keys that tools
/// still write, which are the same bytes without the outer frame. Keys with a password are refused.
final class PemKey {
  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ((?:[A-Z]+ )*PRIVATE KEY)-----([^-]*)-----END", Pattern.DOTALL);

  /// How the older forms say that they are encrypted; the lines around it are no part of [#BLOCK].
  private static final String OLD_PASSWORD = "Proc-Type: 4,ENCRYPTED";

  /// `AlgorithmIdentifier` of RSA: 1.2.840.113549.1.1.1 and NULL.
  private static final byte[] RSA = HexFormat.of().parseHex("300d06092a864886f70d0101010500");

  /// 1.2.840.10045.2.1, to which the curve is added.
  private static final byte[] EC = HexFormat.of().parseHex("06072a8648ce3d0201");

  private static final int SEQUENCE = 0x30;
  private static final int OCTETS = 0x04;
  private static final int CURVE = 0xa0;
  private static final byte[] VERSION_0 = {2, 1, 0};

  private PemKey() {}

  /// @throws TlsFile.Unusable saying what is wrong with the file
  static PrivateKey read(TlsFile file) throws IOException {
    String text = file.text();
    Matcher block = BLOCK.matcher(text);
    boolean found = block.find();
    if (text.contains(OLD_PASSWORD) || (found && block.group(1).equals("ENCRYPTED PRIVATE KEY"))) {
      throw file.unusable(
          "holds an encrypted private key; it must be one without a password", null);
    }
    if (!found) {
      throw file.unusable("holds no private key in PEM form", null);
    }
    String kind = block.group(1);
    try {
      byte[] der = Base64.getMimeDecoder().decode(block.group(2));
      byte[] pkcs8 =
          switch (kind) {
            case "PRIVATE KEY" -> der;
            case "RSA PRIVATE KEY" -> frame(RSA, der);
            case "EC PRIVATE KEY" -> frame(der(SEQUENCE, EC, curve(der)), der);
            default -> throw file.unusable("holds an unknown kind of key: " + kind, null);
          };
      return decode(file, pkcs8);
    } catch (IllegalArgumentException | BufferUnderflowException e) {
      throw file.unusable("holds a damaged " + kind, e);
    }
  }

  private static PrivateKey decode(TlsFile file, byte[] pkcs8) throws IOException {
    IOException failure =
        file.unusable("holds no RSA, EC or EdDSA private key, or a damaged one", null);
    for (String algorithm : List.of("RSA", "EC", "EdDSA")) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
      } catch (InvalidKeySpecException e) {
        failure.addSuppressed(e); // not this algorithm
      } catch (GeneralSecurityException e) {
        throw file.unusable("cannot be used: this Java has no " + algorithm, e);
      }
    }
    throw failure;
  }

  private static byte[] frame(byte[] algorithm, byte[] key) {
    return der(SEQUENCE, VERSION_0, algorithm, der(OCTETS, key));
  }

  private static byte[] der(int tag, byte[]... parts) {
    var content = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      content.writeBytes(part);
    }
    var out = new ByteArrayOutputStream();
    out.write(tag);
    int length = content.size();
    if (length < 0x80) {
      out.write(length);
    } else {
      out.write(0x82); // two bytes of length follow
      out.write(length >> 8);
      out.write(length);
    }
    out.writeBytes(content.toByteArray());
    return out.toByteArray();
  }

  /// The curve's object identifier, in the element `[0]` of an `ECPrivateKey`.
  private static byte[] curve(byte[] key) {
    ByteBuffer in = ByteBuffer.wrap(key);
    in.get(); // SEQUENCE
    length(in);
    while (in.hasRemaining()) {
      int tag = in.get() & 0xff;
      byte[] content = new byte[Math.min(length(in), in.remaining())];
      in.get(content);
      if (tag == CURVE) {
        return content;
      }
    }
    throw new IllegalArgumentException("an EC key without its curve");
  }

  private static int length(ByteBuffer in) {
    int first = in.get() & 0xff;
    if (first < 0x80) {
      return first;
    }
    int length = 0;
    for (int i = 0; i < (first & 0x7f); i++) {
      length = length << 8 | (in.get() & 0xff);
    }
    if (length < 0) {
      throw new IllegalArgumentException("a negative length");
    }
    return length;
  }
}

package dev.sandpiper.tests.harness;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/// Output whose every byte is known: numbers from 1, one a line, as `seq` prints them.
///
/// @param last the last of them
/// @param bytes how long they are together
/// @param hash SHA-256 of all, in hexadecimal digits
public record Numbers(long last, long bytes, String hash) {
  public static Numbers ofAtLeast(long bytes) {
    MessageDigest digest = sha256();
    byte[] block = new byte[1 << 16];
    int at = 0;
    long total = 0;
    long number = 0;
    while (total < bytes) {
      number++;
      byte[] line = (number + "\n").getBytes(StandardCharsets.US_ASCII);
      if (at + line.length > block.length) {
        digest.update(block, 0, at);
        at = 0;
      }
      System.arraycopy(line, 0, block, at, line.length);
      at += line.length;
      total += line.length;
    }
    digest.update(block, 0, at);
    return new Numbers(number, total, HexFormat.of().formatHex(digest.digest()));
  }

  /// Prints them after a line of input, so that everybody can be there in time.
  public Command afterInput() {
    return Command.sh("read line; exec seq 1 " + last).stdin();
  }

  public static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}

package dev.sandpiper.agent.rpc;

import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.InflaterInputStream;
import org.jspecify.annotations.Nullable;

/// The compressions of messages, by their names on the wire.
public enum Compression {
  IDENTITY("identity"),
  GZIP("gzip"),
  /// RFC 1950, that is, with zlib's head and checksum, as HTTP defines it.
  DEFLATE("deflate");

  /// In the order in which we name and prefer them.
  public static final String SUPPORTED = "gzip, deflate";

  private static final int LEVEL = 1; // the agent shares its processors with the commands it runs

  /// What deflate makes of one byte at the most (RFC 1951: 258 bytes from two bits).
  private static final long MOST_EXPANSION = 1032;

  private final String wireName;

  Compression(String wireName) {
    this.wireName = wireName;
  }

  public String wireName() {
    return wireName;
  }

  /// The compression of a request. Absent or empty means identity.
  ///
  /// @throws io.grpc.StatusRuntimeException `unimplemented` for a name that is not known, listing those that are
  public static Compression ofRequest(@Nullable String name) {
    if (name == null || name.isEmpty()) {
      return IDENTITY;
    }
    for (Compression each : values()) {
      if (each.wireName.equals(name)) {
        return each;
      }
    }
    throw Status.UNIMPLEMENTED
        .withDescription(
            "unknown compression \"" + name + "\": supported encodings are " + SUPPORTED)
        .asRuntimeException();
  }

  /// The first one of a list like `br, gzip` that is known. An entry with a quality value is passed over.
  public static Compression ofAccepted(@Nullable String list) {
    if (list != null) {
      for (String part : list.split(",", -1)) {
        String name = part.strip();
        if (name.equals(GZIP.wireName)) {
          return GZIP;
        }
        if (name.equals(DEFLATE.wireName)) {
          return DEFLATE;
        }
      }
    }
    return IDENTITY;
  }

  public byte[] compress(byte[] plain) {
    if (this == IDENTITY) {
      return plain;
    }
    var out = new ByteArrayOutputStream(plain.length / 2 + 32);
    try (OutputStream packer = packer(out)) {
      packer.write(plain);
    } catch (IOException e) {
      throw new IllegalStateException("writing to memory failed", e);
    }
    return out.toByteArray();
  }

  private OutputStream packer(OutputStream out) throws IOException {
    if (this == GZIP) {
      return new GZIPOutputStream(out) {
        {
          def.setLevel(LEVEL);
        }
      };
    }
    Deflater deflater = new Deflater(LEVEL);
    return new DeflaterOutputStream(out, deflater) {
      @Override
      public void close() throws IOException {
        try {
          super.close();
        } finally {
          deflater.end();
        }
      }
    };
  }

  /// Unpacks at most `limit` bytes.
  ///
  /// @throws io.grpc.StatusRuntimeException `resource_exhausted` above the limit, `invalid_argument` for broken data
  public byte[] decompress(byte[] packed, int limit) {
    if (this == IDENTITY) {
      return packed;
    }
    if (packed.length == 0) {
      return packed;
    }
    try (InputStream in = unpacker(new ByteArrayInputStream(packed))) {
      byte[] plain = in.readNBytes(limit);
      if (plain.length == limit && in.read() >= 0) {
        throw tooLarge(limit);
      }
      return plain;
    } catch (IOException e) {
      throw Status.INVALID_ARGUMENT
          .withDescription("not valid " + wireName + " data: " + e.getMessage())
          .withCause(e)
          .asRuntimeException();
    }
  }

  /// Whether the first `length` bytes of `packed` unpack to more than `bytes`; false for what cannot be unpacked.
  boolean unpacksTo(byte[] packed, int length, int bytes) {
    if (this == IDENTITY || length * MOST_EXPANSION <= bytes) {
      return false;
    }
    try (InputStream in = unpacker(new ByteArrayInputStream(packed, 0, length))) {
      in.skipNBytes(bytes);
      return in.read() >= 0;
    } catch (IOException _) {
      return false; // shorter, or broken, which decompress says
    }
  }

  private InputStream unpacker(InputStream in) throws IOException {
    return this == GZIP ? new GZIPInputStream(in) : new InflaterInputStream(in);
  }

  static io.grpc.StatusRuntimeException tooLarge(int limit) {
    return Status.RESOURCE_EXHAUSTED
        .withDescription("message is larger than the limit of " + limit + " bytes")
        .asRuntimeException();
  }
}

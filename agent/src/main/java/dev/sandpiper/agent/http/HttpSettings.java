package dev.sandpiper.agent.http;

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What the front door can be told.
///
/// @param addresses where to listen; port 0 takes a free one. An unresolved host is resolved at bind.
/// @param ioThreads socket event loops
/// @param maxHeaderBytes all headers of a request together; more is answered 431
/// @param maxUriBytes the request line; more is answered 414
/// @param idleTimeout a connection without a running request is closed after this
/// @param shutdownGrace how long running requests may go on after `close`
/// @param maxConcurrentStreams requests at a time on one HTTP/2 connection
/// @param lowWaterBytes `onWritable` comes when less than this waits to be sent
/// @param highWaterBytes `isWritable` is false when more than this waits to be sent, per connection (HTTP/1.x) or request
/// @param tls null for plain text
public record HttpSettings(
    List<InetSocketAddress> addresses,
    int ioThreads,
    int maxHeaderBytes,
    int maxUriBytes,
    Duration idleTimeout,
    Duration shutdownGrace,
    int maxConcurrentStreams,
    int lowWaterBytes,
    int highWaterBytes,
    @Nullable TlsSettings tls) {

  public HttpSettings {
    addresses = List.copyOf(addresses);
    if (addresses.isEmpty()) {
      throw new IllegalArgumentException("addresses: at least one is needed");
    }
    if (ioThreads < 1) {
      throw new IllegalArgumentException("ioThreads: " + ioThreads + " is less than 1");
    }
    if (lowWaterBytes > highWaterBytes) {
      throw new IllegalArgumentException(
          "lowWaterBytes " + lowWaterBytes + " is above highWaterBytes " + highWaterBytes);
    }
  }

  /// The defaults, listening at one address.
  public static HttpSettings at(InetSocketAddress address) {
    return new HttpSettings(
        List.of(address),
        Math.min(2, Runtime.getRuntime().availableProcessors()),
        128 * 1024, // more than proxies let through; strangers may fill it on many connections
        64 * 1024,
        Duration.ofSeconds(
            640), // longer than the proxy's in front, or it reuses a socket that was just closed
        Duration.ofSeconds(5),
        1000,
        // Small, so that a slow client's progress is seen in small steps; 256 KiB and 1 MiB were
        // also a third slower.
        64 * 1024,
        256 * 1024,
        null);
  }

  public HttpSettings withTls(@Nullable TlsSettings settings) {
    return new HttpSettings(
        addresses,
        ioThreads,
        maxHeaderBytes,
        maxUriBytes,
        idleTimeout,
        shutdownGrace,
        maxConcurrentStreams,
        lowWaterBytes,
        highWaterBytes,
        settings);
  }
}

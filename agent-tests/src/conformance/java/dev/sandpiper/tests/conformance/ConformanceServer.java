package dev.sandpiper.tests.conformance;

import com.google.protobuf.ByteString;
import connectrpc.conformance.v1.ServerCompat.ServerCompatRequest;
import connectrpc.conformance.v1.ServerCompat.ServerCompatResponse;
import dev.sandpiper.agent.http.HttpServer;
import dev.sandpiper.agent.http.HttpSettings;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.http.TlsSettings;
import dev.sandpiper.agent.rpc.Dispatch;
import dev.sandpiper.agent.rpc.RpcServer;
import dev.sandpiper.agent.rpc.RpcSettings;
import dev.sandpiper.agent.rpc.connect.ConnectProtocol;
import dev.sandpiper.agent.rpc.grpc.GrpcProtocol;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.List;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.jspecify.annotations.Nullable;

/// Reads one request for a server from standard input, writes its address to standard output, and serves until it is
/// killed. Both messages have their length, four bytes, in front.
public final class ConformanceServer {
  private ConformanceServer() {}

  static void main() throws Exception {
    var in = new DataInputStream(System.in);
    ServerCompatRequest request = ServerCompatRequest.parseFrom(in.readNBytes(in.readInt()));
    int limit = request.getMessageReceiveLimit();
    var settings =
        limit == 0
            ? RpcSettings.DEFAULTS
            : new RpcSettings(
                limit, RpcSettings.DEFAULTS.compressFromBytes(), RpcSettings.DEFAULTS.maxWaiting());
    var rpc = new RpcServer(settings, List.of(new ConnectProtocol(), new GrpcProtocol()));
    rpc.add(ConformanceService.define(), Dispatch.BLOCKING);
    rpc.ready();
    TlsSettings tls = tls(request);
    warmUp(rpc, null);
    if (tls != null) {
      warmUp(rpc, new TlsSettings(tls.certificate(), tls.key(), null));
    }
    var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    var server = new HttpServer(HttpSettings.at(address).withTls(tls), new Router().fallback(rpc));
    server.bind();
    var response =
        ServerCompatResponse.newBuilder()
            .setHost(address.getAddress().getHostAddress())
            .setPort(server.port())
            .setPemCert(request.getUseTls() ? request.getServerCreds().getCert() : ByteString.EMPTY)
            .build();
    try (var out = new DataOutputStream(new FileOutputStream(FileDescriptor.out))) {
      out.writeInt(response.getSerializedSize());
      response.writeTo(out);
    }
    Thread.sleep(Long.MAX_VALUE);
  }

  /// Loads the classes of the usual paths before the suite's clock runs: some of its cases have deadlines that a JVM which
  /// has just started on a busy machine would miss. Above all the first handshakes: without this one, calls over TLS missed
  /// two seconds at a load of sixteen on two processors.
  private static void warmUp(RpcServer rpc, @Nullable TlsSettings tls) throws Exception {
    var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    try (var server =
        new HttpServer(HttpSettings.at(address).withTls(tls), new Router().fallback(rpc))) {
      server.bind();
      for (String type :
          List.of(
              "application/json",
              "application/proto",
              "application/grpc-web+json",
              "application/grpc-web")) {
        byte[] body = type.endsWith("/json") ? new byte[] {'{', '}'} : new byte[] {};
        if (type.contains("grpc")) {
          body = type.endsWith("json") ? new byte[] {0, 0, 0, 0, 2, '{', '}'} : new byte[5];
        }
        var url =
            URI.create(
                    (tls == null ? "http" : "https")
                        + "://127.0.0.1:"
                        + server.port()
                        + "/connectrpc.conformance.v1.ConformanceService/Unary")
                .toURL();
        var connection = (HttpURLConnection) url.openConnection(Proxy.NO_PROXY);
        if (connection instanceof HttpsURLConnection secure && tls != null) {
          secure.setSSLSocketFactory(trusting(tls.certificate()).getSocketFactory());
          secure.setHostnameVerifier((_, _) -> true);
        }
        connection.setRequestMethod("POST");
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", type);
        connection.getOutputStream().write(body);
        try (var answer = connection.getInputStream()) {
          answer.readAllBytes();
        }
      }
    }
  }

  private static SSLContext trusting(Path certificate) throws Exception {
    var store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (var in = Files.newInputStream(certificate)) {
      store.setCertificateEntry(
          "server", CertificateFactory.getInstance("X.509").generateCertificate(in));
    }
    var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    var context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  private static @Nullable TlsSettings tls(ServerCompatRequest request) throws IOException {
    if (!request.getUseTls()) {
      return null;
    }
    Path directory = Files.createTempDirectory("conformance");
    Path certificate =
        Files.write(
            directory.resolve("cert.pem"), request.getServerCreds().getCert().toByteArray());
    Path key =
        Files.write(directory.resolve("key.pem"), request.getServerCreds().getKey().toByteArray());
    ByteString client = request.getClientTlsCert();
    Path clientCa =
        client.isEmpty() ? null : Files.write(directory.resolve("ca.pem"), client.toByteArray());
    return new TlsSettings(certificate, key, clientCa);
  }
}

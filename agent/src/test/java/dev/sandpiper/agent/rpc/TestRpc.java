package dev.sandpiper.agent.rpc;

import dev.sandpiper.agent.http.HttpServer;
import dev.sandpiper.agent.http.HttpSettings;
import dev.sandpiper.agent.http.Router;
import dev.sandpiper.agent.rpc.connect.ConnectProtocol;
import dev.sandpiper.agent.rpc.grpc.GrpcProtocol;
import io.grpc.ServerServiceDefinition;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;

/// The engine on a loopback port.
public final class TestRpc implements AutoCloseable {
  private final RpcServer rpc =
      new RpcServer(RpcSettings.DEFAULTS, List.of(new ConnectProtocol(), new GrpcProtocol()));
  private final Router router = new Router().fallback(rpc);
  private final HttpServer server;

  public TestRpc() throws IOException {
    this(HttpSettings.at(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)));
  }

  public TestRpc(HttpSettings settings) throws IOException {
    server = new HttpServer(settings, router);
    server.bind();
  }

  public TestRpc add(ServerServiceDefinition service, Dispatch dispatch) {
    rpc.add(service, dispatch);
    return this;
  }

  public TestRpc ready() {
    rpc.ready();
    return this;
  }

  public Router router() {
    return router;
  }

  public RpcServer rpc() {
    return rpc;
  }

  public HttpServer server() {
    return server;
  }

  public int port() {
    return server.port();
  }

  @Override
  public void close() {
    server.close();
  }
}

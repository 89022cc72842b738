package dev.sandpiper.agent.http;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import org.slf4j.LoggerFactory;

/// Netty's epoll where its library loads, else Java's NIO, which is slower and says so.
record Transport(EventLoopGroup loops, Class<? extends ServerChannel> serverChannel) {

  static Transport create(int threads) {
    boolean epoll = Epoll.isAvailable();
    if (!epoll) {
      LoggerFactory.getLogger("http")
          .warn("epoll is not available; using NIO", Epoll.unavailabilityCause());
    }
    IoHandlerFactory io = epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    EventLoopGroup loops =
        new MultiThreadIoEventLoopGroup(threads, new DefaultThreadFactory("http", true), io);
    return new Transport(
        loops, epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class);
  }
}

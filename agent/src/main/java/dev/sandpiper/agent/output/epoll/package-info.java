/// The [dev.sandpiper.agent.output.PipeLoop] on Netty's epoll: the only place below the network that knows Netty.
@NullMarked
package dev.sandpiper.agent.output.epoll;

import org.jspecify.annotations.NullMarked;

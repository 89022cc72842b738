@NullMarked
package dev.sandpiper.agent.rpc;

import org.jspecify.annotations.NullMarked;

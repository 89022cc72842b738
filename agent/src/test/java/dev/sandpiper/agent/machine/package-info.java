@NullMarked
package dev.sandpiper.agent.machine;

import org.jspecify.annotations.NullMarked;

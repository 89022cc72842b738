@NullMarked
package dev.sandpiper.agent.http;

import org.jspecify.annotations.NullMarked;

@NullMarked
package dev.sandpiper.agent.auth;

import org.jspecify.annotations.NullMarked;

@NullMarked
package dev.sandpiper.agent.rest;

import org.jspecify.annotations.NullMarked;

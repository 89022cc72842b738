/// Black-box tests: the built image runs as a process of its own and is driven through its port, its signals and its
/// standard output, as its users drive it.
@NullMarked
package dev.sandpiper.tests;

import org.jspecify.annotations.NullMarked;

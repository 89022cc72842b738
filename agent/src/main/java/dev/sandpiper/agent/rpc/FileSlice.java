package dev.sandpiper.agent.rpc;

import java.nio.channels.FileChannel;

/// Where the bytes of a payload are.
///
/// @param release called once, when the file is no longer needed for this slice
public record FileSlice(FileChannel file, long position, Runnable release) {}

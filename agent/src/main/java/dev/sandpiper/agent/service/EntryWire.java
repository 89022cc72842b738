package dev.sandpiper.agent.service;

import dev.sandpiper.agent.filesystem.Entry;

/// Writes entries in the form of one codec, straight into the bytes that will be sent: an object tree for a directory of
/// 100,000 entries would take more memory than the agent has. Stateless, for any thread.
interface EntryWire {
  /// A message whose only field is `entry = 1`.
  void single(Entry entry, ByteBuilder out);

  /// One of a message whose only field is the repeated `entries = 1`.
  ///
  /// @param index from 0
  void item(Entry entry, int index, ByteBuilder out);

  /// What follows the last item.
  void end(int count, ByteBuilder out);
}

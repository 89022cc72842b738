package dev.sandpiper.agent.filesystem;

/// Takes the entries of a [Listing] one by one, on the thread that lists.
public interface EntrySink {
  /// Takes one entry. False to be given no more for now: the listing can go on later.
  boolean add(Entry entry) throws FileFailure;
}

/// The logs of the whole sandbox: one ordered view of what every process printed, line by line, of starts and ends, and of
/// what the agent itself has to say.
///
/// Nothing is stored for it besides the agent's own lines: lines are found in the output logs when somebody asks.
/// A [LogQuery] goes in at [LogQueries]; out comes a [LogReading], which hands over [LogItem]s in batches, each when it is
/// asked for the next. Every item has a [LogPosition], its place in the one order, from which a later query goes on.
///
/// How it works: each stream of each process is a sorted source of lines (`LineWalker`, forwards or backwards), opened only
/// when the merge reaches the time of its process; `Merge` takes the smallest of their heads. Filters sit in the sources, so a
/// search passes over most bytes without making lines of them.
@NullMarked
package dev.sandpiper.agent.logs;

import org.jspecify.annotations.NullMarked;

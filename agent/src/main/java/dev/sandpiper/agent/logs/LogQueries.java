package dev.sandpiper.agent.logs;

/// Opens readings. Any thread.
public interface LogQueries {
  /// Begins a query. Cheap: no log is looked at before the first [LogReading#next].
  ///
  /// @throws LogFailure when the query, its cursor or its process is refused, or too many readings are open
  LogReading open(LogQuery query) throws LogFailure;
}

/// What the agent says of itself: its log lines and its counters.
///
/// Log lines are SLF4J events, made into JSON with the field names that records have (by [LineEncoder], and by
/// logstash-logback-encoder where a line has more than that knows), and put into a bounded queue ([LogQueue]) that never
/// makes anybody wait. Who writes standard output empties it; this
/// package writes nowhere. [AgentLogging] sets Logback up in code, as reading XML took a third of a start-up.
@NullMarked
package dev.sandpiper.agent.telemetry;

import org.jspecify.annotations.NullMarked;

/// Settings: what can be set, how it is written, what it is when nobody sets it.
///
/// A feature declares each of its settings once, as a `Setting`, in a record of its own package with two static
/// methods: `all()`, the list of its settings, and `from(Settings)`, the record with their values. The root package puts
/// the lists together and resolves them in one go, at the start and never again: command line over environment over
/// default; a secret one is in the environment only. The options of `serve`, its `--help`, the table in the README and the line in the log are all made from
/// that one list. Nothing here reads a clock or the process's environment by itself: callers hand those in, and the one
/// kind of file that is read is one with a secret ([SecretFile]), when a caller asks. Start reading at `Setting`.
@NullMarked
package dev.sandpiper.agent.config;

import org.jspecify.annotations.NullMarked;

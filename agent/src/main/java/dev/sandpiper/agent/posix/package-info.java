/// Every foreign call of the agent and every struct it reads or writes, each beside its man page.
///
/// The one idea: a single downcall shape, `long f(long × 7)` with captured `errno`, reaches both the kernel (through
/// glibc's `syscall(2)`) and the few library functions that are more than a system call (`posix_spawn` and its helpers).
/// Linking a foreign signature costs milliseconds at start-up, calling it costs nanoseconds, so one signature serves all.
///
/// Results follow the kernel's convention: zero or positive is success, negative is `-errno`. No call throws for an
/// outcome that the kernel may choose, so `EAGAIN` on a hot path costs nothing; {@link dev.sandpiper.agent.posix.Errno}
/// turns a code into its name and meaning. Paths have the form of
/// {@link dev.sandpiper.agent.posix.FileNames}; one with a NUL inside answers `-EINVAL`.
///
/// Start reading at {@link dev.sandpiper.agent.posix.Posix} (descriptors and files), its neighbours
/// {@link dev.sandpiper.agent.posix.At} (names in an open directory) and {@link dev.sandpiper.agent.posix.Xattrs}, then
/// {@link dev.sandpiper.agent.posix.Tasks} (processes, identities, limits), {@link dev.sandpiper.agent.posix.Spawn}
/// and {@link dev.sandpiper.agent.posix.Terminals}. Nothing outside this package sees `java.lang.foreign`.
@NullMarked
package dev.sandpiper.agent.posix;

import org.jspecify.annotations.NullMarked;

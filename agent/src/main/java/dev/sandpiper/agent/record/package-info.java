/// What commands print, as JSON lines on standard output.
///
/// One thread does all of it. It reads every process's output log through a cursor of its own, as any other reader
/// does and holding back no command; cuts the bytes into lines ([LineSplitter]), stays within the caps of the command
/// ([OutputCaps]), writes the records straight into one batch of bytes ([RecordEncoder]) and the batch to the
/// descriptor ([RecordWriter], the only writer of standard output in this program). The agent's own log lines pass
/// through the same thread, so two lines never mix. A reader of standard output that stalls stops this thread and
/// nothing else: the logs wait on disk, and what retention takes away meanwhile is reported as missed.
///
/// Start reading at [RecordEmitter].
@NullMarked
package dev.sandpiper.agent.record;

import org.jspecify.annotations.NullMarked;

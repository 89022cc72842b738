package dev.sandpiper.agent.service;

import dev.sandpiper.agent.filesystem.watch.WatchEvent;
import dev.sandpiper.proto.filesystem.EventType;
import dev.sandpiper.proto.filesystem.FilesystemEvent;

/// Events of watches as messages.
final class WatchMessages {
  private WatchMessages() {}

  static FilesystemEvent event(WatchEvent event) {
    FilesystemEvent.Builder message =
        FilesystemEvent.newBuilder().setName(event.name()).setType(type(event.type()));
    if (event.entry() != null) {
      message.setEntry(FilesystemMessages.info(event.entry(), false));
    }
    return message.build();
  }

  private static EventType type(WatchEvent.Type type) {
    return switch (type) {
      case CREATE -> EventType.EVENT_TYPE_CREATE;
      case WRITE -> EventType.EVENT_TYPE_WRITE;
      case REMOVE -> EventType.EVENT_TYPE_REMOVE;
      case RENAME -> EventType.EVENT_TYPE_RENAME;
      case CHMOD -> EventType.EVENT_TYPE_CHMOD;
    };
  }
}

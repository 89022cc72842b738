package dev.sandpiper.agent.rest;

import dev.sandpiper.agent.machine.Machine;
import dev.sandpiper.agent.machine.Usage;
import java.io.IOException;

/// The sandbox as E2B's clients read it (`SandboxDetail` of its API).
final class SandboxJson {
  /// Nobody has told the agent when the sandbox is to end; the field must be there.
  private static final String NO_END = "9999-12-31T23:59:59Z";

  private SandboxJson() {}

  /// Reads the kernel's files and asks for the size of the disk, which may take its time: not for event loops.
  static String of(SandboxFacts sandbox) {
    String id = sandbox.id().orElse("");
    long memoryMib = 0;
    long diskMib = 0;
    int processors = 0;
    try {
      Usage usage = new Machine().usage();
      memoryMib = usage.memoryTotal() >> 20;
      diskMib = usage.diskTotal() >> 20;
      processors = usage.processorCount();
    } catch (IOException _) {
      // 0 is what is known of it.
    }
    StringBuilder json = new StringBuilder(256);
    json.append("{\"sandboxID\":");
    JsonText.string(json, id);
    LogText.member(json, "templateID", sandbox.templateId());
    LogText.member(json, "clientID", "");
    LogText.member(json, "startedAt", sandbox.startedAt().toString());
    LogText.member(json, "endAt", NO_END);
    LogText.member(json, "state", "running");
    LogText.member(json, "envdVersion", InitRoute.ENVD_VERSION);
    json.append(",\"cpuCount\":").append(processors);
    json.append(",\"memoryMB\":").append(memoryMib);
    json.append(",\"diskSizeMB\":").append(diskMib);
    json.append(",\"metadata\":{}}\n");
    return json.toString();
  }
}

package dev.sandpiper.agent.service;

import dev.sandpiper.agent.tree.Survivor;
import dev.sandpiper.agent.tree.TreeMember;
import dev.sandpiper.agent.tree.TreeOutcome;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Trees as `sandpiper.v1` tells of them.
final class TreeMessages {
  private TreeMessages() {}

  static dev.sandpiper.proto.v1.TreeMember of(TreeMember member) {
    return dev.sandpiper.proto.v1.TreeMember.newBuilder()
        .setPid(member.pid())
        .setName(member.name())
        .build();
  }

  /// @param before who got an earlier signal of the same call
  static dev.sandpiper.proto.v1.TreeOutcome of(List<TreeMember> before, TreeOutcome outcome) {
    Set<TreeMember> signalled = new LinkedHashSet<>(before);
    signalled.addAll(outcome.signalled());
    dev.sandpiper.proto.v1.TreeOutcome.Builder message =
        dev.sandpiper.proto.v1.TreeOutcome.newBuilder()
            .setGone(outcome.gone())
            .addAllLimits(outcome.limits());
    signalled.forEach(member -> message.addSignalled(of(member)));
    for (Survivor survivor : outcome.survivors()) {
      message.addSurvivors(
          dev.sandpiper.proto.v1.Survivor.newBuilder()
              .setPid(survivor.member().pid())
              .setName(survivor.member().name())
              .setWhy(survivor.why()));
    }
    return message.build();
  }
}

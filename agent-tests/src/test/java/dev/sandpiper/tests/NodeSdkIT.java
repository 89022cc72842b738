package dev.sandpiper.tests;

import dev.sandpiper.tests.harness.NodePackages;
import dev.sandpiper.tests.harness.SdkCases;
import java.util.List;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/// Programs written against the published `e2b` npm package, unmodified; the cases are in `src/test/node`.
///
/// By hand, against any agent:
/// `npm ci && E2B_DEBUG=true E2B_SANDBOX_URL=http://localhost:49983 node --test`.
final class NodeSdkIT {
  @TestFactory
  List<DynamicNode> withoutAToken() {
    return SdkCases.open(NodePackages.tests());
  }

  @TestFactory
  List<DynamicNode> securedByAControlPlane() {
    return SdkCases.secured(NodePackages.tests());
  }
}

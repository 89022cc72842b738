package dev.sandpiper.tests;

import dev.sandpiper.tests.harness.PythonPackages;
import dev.sandpiper.tests.harness.SdkCases;
import java.util.List;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;

/// Programs written against the published `e2b` PyPI package, unmodified, synchronous and asynchronous; the cases are in
/// `src/test/python`.
///
/// By hand, against any agent, in an environment with the packages of `requirements.txt`:
/// `E2B_DEBUG=true E2B_SANDBOX_URL=http://localhost:49983 python run.py async`.
final class PythonSdkIT {
  @TestFactory
  List<DynamicNode> synchronousWithoutAToken() {
    return SdkCases.open(PythonPackages.program("run.py", "sync"));
  }

  @TestFactory
  List<DynamicNode> asynchronousWithoutAToken() {
    return SdkCases.open(PythonPackages.program("run.py", "async"));
  }

  @TestFactory
  List<DynamicNode> synchronousSecuredByAControlPlane() {
    return SdkCases.secured(PythonPackages.program("run.py", "sync"));
  }

  @TestFactory
  List<DynamicNode> asynchronousSecuredByAControlPlane() {
    return SdkCases.secured(PythonPackages.program("run.py", "async"));
  }
}

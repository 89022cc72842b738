package dev.sandpiper.agent;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.type;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.name;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.io.FileDescriptor;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Which package may use which, and who may touch what.
final class ArchitectureTest {
  private static final String ROOT = "dev.sandpiper.agent";

  private static final JavaClasses AGENT =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages(ROOT);

  /// Besides itself, `config` values and `telemetry`, a package uses only these. The root package wires everything and
  /// may use all.
  private static final Map<String, Set<String>> MAY_USE =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("accounts", Set.of("posix")),
              Map.entry("auth", Set.of("http")),
              Map.entry("cli", Set.of()),
              Map.entry("config", Set.of()),
              Map.entry("filesystem", Set.of("accounts", "posix")),
              Map.entry("http", Set.of()),
              Map.entry("journal", Set.of("posix")),
              Map.entry("launch", Set.of("accounts", "posix")),
              Map.entry("logs", Set.of("output", "posix", "process", "record")),
              Map.entry("machine", Set.of("posix")),
              Map.entry("output", Set.of("posix")),
              Map.entry("posix", Set.of()),
              Map.entry(
                  "process", Set.of("accounts", "journal", "launch", "output", "posix", "tree")),
              Map.entry("record", Set.of("output", "posix")),
              Map.entry(
                  "rest", // of launch only the values that a start is made of, of record how lines
                  // end
                  Set.of(
                      "accounts",
                      "auth",
                      "filesystem",
                      "http",
                      "launch",
                      "logs",
                      "machine",
                      "output",
                      "process",
                      "record",
                      "tree")),
              Map.entry("rpc", Set.of("auth", "http")),
              Map.entry(
                  "service", // of launch only the values that a start is made of
                  Set.of(
                      "accounts",
                      "auth",
                      "filesystem",
                      "launch",
                      "logs",
                      "output",
                      "process",
                      "rpc",
                      "tree")),
              Map.entry("telemetry", Set.of()),
              Map.entry("tree", Set.of("machine", "posix")),
              Map.entry("upgrade", Set.of("posix"))));

  @TestFactory
  Stream<DynamicTest> aPackageUsesOnlyWhatIsBelowIt() {
    return MAY_USE.entrySet().stream()
        .map(entry ->
            dynamicTest(
                entry.getKey() + " uses " + new TreeSet<>(entry.getValue()),
                () -> check(usesOnly(entry.getKey(), entry.getValue()))));
  }

  private static ArchRule usesOnly(String name, Set<String> others) {
    var allowed =
        Stream.concat(Stream.of(name, "config", "telemetry"), others.stream())
            .map(other -> ROOT + "." + other + "..")
            .toArray(String[]::new);
    return noClasses()
        .that()
        .resideInAPackage(ROOT + "." + name + "..")
        .should()
        .dependOnClassesThat(resideInAPackage(ROOT + "..").and(not(resideInAnyPackage(allowed))));
  }

  @Test
  void everyPackageIsOnTheMap() {
    assertThat(AGENT)
        .extracting(ArchitectureTest::topPackage)
        .allMatch(name -> name.isEmpty() || MAY_USE.containsKey(name));
  }

  private static String topPackage(JavaClass type) {
    String inside = type.getPackageName().substring(ROOT.length());
    return inside.isEmpty() ? "" : inside.substring(1).split("\\.", 2)[0];
  }

  @Test
  void packagesFormNoCycle() {
    check(slices().matching(ROOT + ".(*)..").should().beFreeOfCycles());
  }

  @Test
  void theDomainKnowsNoWire() {
    check(
        noClasses()
            .that(
                in(
                        "accounts..",
                        "filesystem..",
                        "journal..",
                        "launch..",
                        "logs..",
                        "machine..",
                        "output..",
                        "posix..",
                        "process..",
                        "record..")
                    .and(not(in("output.epoll.."))))
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                "io.netty..", "io.grpc..", "com.google.protobuf..", "dev.sandpiper.proto.."));
  }

  @Test
  void onlyTheFrontDoorAndThePipeLoopKnowNetty() {
    check(
        noClasses()
            .that(not(in("http..", "rpc..", "rest..", "output.epoll..")))
            .should()
            .dependOnClassesThat()
            .resideInAPackage("io.netty.."));
  }

  /// Bodies of any size pass through `rest` uncopied, in the buffers and on the event loop of their exchange.
  @Test
  void plainHttpKnowsNettysBuffersOnly() {
    check(
        noClasses()
            .that(in("rest.."))
            .should()
            .dependOnClassesThat(
                resideInAPackage("io.netty..")
                    .and(not(resideInAnyPackage("io.netty.buffer..", "io.netty.util..")))
                    .and(not(type(io.netty.channel.EventLoop.class)))));
  }

  @Test
  void onlyPosixMakesForeignCalls() {
    check(
        noClasses()
            .that(not(in("posix..")))
            .should()
            .dependOnClassesThat()
            .resideInAPackage("java.lang.foreign.."));
  }

  @Test
  void childrenAreStartedByLaunchOnly() {
    // The command line may start an agent as anybody would.
    check(
        noClasses()
            .that(not(in("cli..")))
            .should()
            .dependOnClassesThat()
            .areAssignableTo(ProcessBuilder.class)
            .orShould()
            .callMethodWhere(target(owner(type(Runtime.class))).and(target(name("exec")))));
  }

  @Test
  void onlyRecordsReachStandardOutput() {
    // `Main` and the command line talk to a person; they are not running while the daemon is.
    check(
        noClasses()
            .that(not(in("record..", "cli..")).and(not(type(Main.class))))
            .should()
            .accessField(System.class, "out")
            .orShould()
            .accessField(FileDescriptor.class, "out"));
  }

  @Test
  void everyPackageIsNullMarked() {
    assertThat(AGENT.stream().map(JavaClass::getPackage).distinct())
        .filteredOn(found -> !found.isAnnotatedWith(NullMarked.class))
        .extracting(JavaPackage::getName)
        .isEmpty();
  }

  @Test
  void classesAreFinalUnlessMadeToBeExtended() {
    check(
        classes()
            .that()
            .areNotInterfaces()
            .and()
            .arePublic()
            .and()
            .areTopLevelClasses()
            .should()
            .haveModifier(JavaModifier.FINAL)
            .orShould()
            .haveModifier(JavaModifier.ABSTRACT)
            .orShould()
            .beEnums());
  }

  private static DescribedPredicate<JavaClass> in(String... packages) {
    return resideInAnyPackage(
        Stream.of(packages).map(name -> ROOT + "." + name).toArray(String[]::new));
  }

  private static void check(ArchRule rule) {
    // Packages come one by one; a rule for one that is not there yet holds.
    rule.allowEmptyShould(true).check(AGENT);
  }
}

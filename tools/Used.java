import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.MethodModel;
import java.lang.classfile.constantpool.InvokeDynamicEntry;
import java.lang.classfile.constantpool.NameAndTypeEntry;
import java.lang.classfile.constantpool.PoolEntry;
import java.lang.classfile.constantpool.StringEntry;
import java.lang.classfile.constantpool.Utf8Entry;
import java.lang.constant.ClassDesc;
import java.lang.reflect.AccessFlag;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// What an application can reach of all that its class path holds: of the classes and of libraries' methods.
///
/// A class is kept when a text that a kept method, or a kept class beside its methods, refers to is its name, or a descriptor
/// or signature with its name in it. That finds what is looked up by a constant name too.
///
/// A method of a kept class is kept when a kept method or a class of the Java runtime calls one of the same name and descriptor,
/// whosever that is; or when its name is a constant text there or a word in a native library, as for reflection. Constructors,
/// native methods and all of the application's own are kept. So every call that is left finds what it calls.
///
/// What is looked up by a name that is put together at run time would be missed. Protobuf does so, for messages and
/// enumerations that are generated: those keep their methods. The black-box tests run on what is left.
final class Used {
  private static final int LONGEST_NAME = 4_000; // longer texts are descriptors of schemas
  private static final Pattern WORD = Pattern.compile("[A-Za-z_$][A-Za-z0-9_$]+");
  private static final ClassDesc SCRATCH = ClassDesc.of("Scratch");
  private static final Set<String> GENERATED =
      Set.of(
          "com/google/protobuf/GeneratedMessage",
          "com/google/protobuf/GeneratedMessage$Builder",
          "com/google/protobuf/ProtocolMessageEnum");

  private record Method(String type, MethodModel model) {
    String name() {
      return model.methodName().stringValue();
    }

    String call() {
      return name() + model.methodType().stringValue();
    }
  }

  private final ClassFile parser =
      ClassFile.of(
          ClassFile.DebugElementsOption.DROP_DEBUG,
          ClassFile.LineNumbersOption.DROP_LINE_NUMBERS,
          ClassFile.StackMapsOption.DROP_STACK_MAPS,
          ClassFile.ConstantPoolSharingOption.NEW_POOL);

  private final Map<String, byte[]> classes = new TreeMap<>();
  private final Predicate<String> own;
  private final Set<String> kept = new TreeSet<>();
  private final ArrayDeque<String> open = new ArrayDeque<>();

  private final Set<String> calls = new HashSet<>();
  private final Set<String> names = new HashSet<>();
  private final Set<String> keptMethods = new HashSet<>();
  private final ArrayDeque<Method> openMethods = new ArrayDeque<>();
  private final Map<String, List<Method>> waiting = new HashMap<>(); // by name

  /// @param entries all files of the jar, by name
  /// @param natives libraries that look up methods
  /// @param own whether a class, as `a/b/C`, is of the application
  /// @param modules of the runtime
  Used(
      Map<String, byte[]> entries,
      Iterable<byte[]> natives,
      Predicate<String> own,
      List<String> modules)
      throws IOException {
    this.own = own;
    entries.forEach((name, bytes) -> {
      if (name.endsWith(".class")) {
        classes.put(name.substring(0, name.length() - ".class".length()), bytes);
      }
    });
    for (byte[] library : natives) {
      var text = new String(library, StandardCharsets.ISO_8859_1);
      WORD.matcher(text).results().forEach(word -> names.add(word.group()));
    }
    for (String module : modules) {
      readRuntime(Path.of(URI.create("jrt:/" + module)));
    }
    classes.keySet().stream().filter(own).forEach(this::keep);
    follow();
  }

  // It calls what it declares, and what it names.
  private void readRuntime(Path module) throws IOException {
    try (Stream<Path> files = Files.walk(module)) {
      for (Path file : files.filter(file -> file.toString().endsWith(".class")).toList()) {
        var model = ClassFile.of().parse(Files.readAllBytes(file));
        model.constantPool().forEach(this::call);
        model.methods().forEach(method -> calls.add(new Method("", method).call()));
      }
    }
  }

  /// Keeps the class `a/b/C`, if the jar has it, and what it reaches.
  void keepAll(String name) {
    keep(name);
    follow();
  }

  private void keep(String name) {
    if (classes.containsKey(name) && kept.add(name)) {
      open.add(name);
    }
  }

  private void follow() {
    while (!open.isEmpty() || !openMethods.isEmpty()) {
      if (openMethods.isEmpty()) {
        String name = open.poll();
        ClassModel model = parser.parse(classes.get(name));
        read(
            parser.transformClass(
                model, ClassTransform.dropping(element -> element instanceof MethodModel)));
        boolean all = own.test(name) || isGenerated(name);
        model.methods().forEach(method -> consider(new Method(name, method), all));
      } else {
        var method = openMethods.poll().model;
        read(parser.build(SCRATCH, builder -> builder.with(method)));
      }
    }
  }

  private void consider(Method method, boolean always) {
    if (always
        || method.name().startsWith("<")
        || method.model.flags().has(AccessFlag.NATIVE)
        || names.contains(method.name())
        || calls.contains(method.call())) {
      if (keptMethods.add(method.type + "." + method.call())) {
        openMethods.add(method);
      }
    } else {
      waiting.computeIfAbsent(method.name(), _ -> new ArrayList<>()).add(method);
    }
  }

  private void read(byte[] bytes) {
    for (var entry : parser.parse(bytes).constantPool()) {
      call(entry);
      if (entry instanceof Utf8Entry utf8 && utf8.length() <= LONGEST_NAME) {
        namesIn(utf8.stringValue().replace('.', '/')).forEach(this::keep);
      }
    }
  }

  private void call(PoolEntry entry) {
    String name =
        switch (entry) {
          case NameAndTypeEntry pair
              when calls.add(pair.name().stringValue() + pair.type().stringValue()) ->
              pair.name().stringValue();
          case StringEntry text when names.add(text.stringValue()) -> text.stringValue();
          // The method of an interface, with another descriptor.
          case InvokeDynamicEntry call when names.add(call.name().stringValue()) ->
              call.name().stringValue();
          default -> null;
        };
    List<Method> woken = name == null ? null : waiting.remove(name);
    if (woken != null) {
      woken.forEach(method -> consider(method, false));
    }
  }

  private boolean isGenerated(String name) {
    if (GENERATED.contains(name)) {
      return true;
    }
    byte[] bytes = classes.get(name);
    if (bytes == null) {
      return false;
    }
    var model = parser.parse(bytes);
    return model.flags().has(AccessFlag.ANNOTATION)
        || model.superclass().stream().anyMatch(type -> isGenerated(type.asInternalName()))
        || model.interfaces().stream().anyMatch(type -> isGenerated(type.asInternalName()));
  }

  private static Set<String> namesIn(String text) {
    var names = new HashSet<String>();
    names.add(text);
    for (int from = text.indexOf('L'); from >= 0; from = text.indexOf('L', from + 1)) {
      int end = from + 1;
      while (end < text.length() && ";<>():*".indexOf(text.charAt(end)) < 0) {
        end++;
      }
      names.add(text.substring(from + 1, end));
    }
    return names;
  }

  /// Whether this class, as `a.b.C`, is kept, or is none of the jar.
  boolean isKept(String className) {
    String name = className.replace('.', '/');
    return kept.contains(name) || !classes.containsKey(name);
  }

  /// Whether the jar has this class, as `a.b.C`.
  boolean holds(String className) {
    return classes.containsKey(className.replace('.', '/'));
  }

  /// Whether this method of the class `a/b/C` is kept.
  boolean isKept(String type, MethodModel method) {
    return keptMethods.contains(type + "." + new Method(type, method).call());
  }
}

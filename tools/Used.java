import java.io.ByteArrayInputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.constantpool.Utf8Entry;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;

/// The classes that an application can reach, of all that its class path holds: a third of them nothing names.
///
/// A class is kept when any text in the constant pool of a kept class is its name, or a descriptor or signature with its
/// name in it. That finds what is looked up by a constant name too. What is looked up by a name that is put together at run time
/// would be missed; no library here does so, and the black-box tests run on what is left.
final class Used {
  private static final int LONGEST_NAME = 4_000; // longer texts are descriptors of schemas

  private final Map<String, byte[]> classes = new TreeMap<>();
  private final Set<String> kept = new TreeSet<>();
  private final ArrayDeque<String> open = new ArrayDeque<>();
  private final ClassFile parser = ClassFile.of();

  /// @param entries all files of the jar, by name
  Used(Map<String, byte[]> entries) {
    entries.forEach((name, bytes) -> {
      if (name.endsWith(".class")) {
        classes.put(name.substring(0, name.length() - ".class".length()), bytes);
      }
    });
  }

  /// Keeps the classes whose internal names (`a/b/C`) are `own`, and what they reach.
  void keep(Predicate<String> own) {
    classes.keySet().stream().filter(own).forEach(this::keep);
    while (!open.isEmpty()) {
      namesIn(classes.get(open.poll())).forEach(this::keep);
    }
  }

  private void keep(String name) {
    if (classes.containsKey(name) && kept.add(name)) {
      open.add(name);
    }
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

  private Set<String> namesIn(byte[] bytes) {
    var names = new HashSet<String>();
    for (var entry : parser.parse(bytes).constantPool()) {
      if (entry instanceof Utf8Entry utf8 && utf8.length() <= LONGEST_NAME) {
        String text = utf8.stringValue().replace('.', '/');
        names.add(text);
        for (int from = text.indexOf('L'); from >= 0; from = text.indexOf('L', from + 1)) {
          int end = from + 1;
          while (end < text.length() && ";<>():*".indexOf(text.charAt(end)) < 0) {
            end++;
          }
          names.add(text.substring(from + 1, end));
        }
      }
    }
    return names;
  }

  /// The class without names of local variables and numbers of lines, as the runtime's own classes are. For classes of
  /// libraries: in stack traces our own lines tell where it came from.
  byte[] withoutDebug(byte[] bytes) {
    var resolver =
        ClassHierarchyResolver.ofResourceParsing(description -> {
          String descriptor = description.descriptorString();
          byte[] found = classes.get(descriptor.substring(1, descriptor.length() - 1));
          return found == null ? null : new ByteArrayInputStream(found);
        });
    var rewriter =
        ClassFile.of(
            ClassFile.DebugElementsOption.DROP_DEBUG,
            ClassFile.LineNumbersOption.DROP_LINE_NUMBERS,
            ClassFile.ConstantPoolSharingOption.NEW_POOL,
            ClassFile.ClassHierarchyResolverOption.of(
                resolver.orElse(ClassHierarchyResolver.defaultResolver())));
    try {
      return rewriter.transformClass(rewriter.parse(bytes), ClassTransform.ACCEPT_ALL);
    } catch (IllegalArgumentException _) {
      return bytes; // it refers to a class of a library that is not here
    }
  }
}

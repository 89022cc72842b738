import java.io.ByteArrayInputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileElement;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.FieldTransform;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.classfile.attribute.DeprecatedAttribute;
import java.lang.classfile.attribute.MethodParametersAttribute;
import java.lang.classfile.attribute.RuntimeInvisibleAnnotationsAttribute;
import java.lang.classfile.attribute.RuntimeInvisibleParameterAnnotationsAttribute;
import java.lang.classfile.attribute.RuntimeInvisibleTypeAnnotationsAttribute;
import java.lang.classfile.attribute.RuntimeVisibleTypeAnnotationsAttribute;
import java.lang.classfile.attribute.SignatureAttribute;
import java.util.Map;

/// Libraries' classes with what runs: without methods that are not [Used], numbers of lines and names of variables (in stack
/// traces our own lines tell where it came from), annotations for compilers, and generic types of methods and fields.
///
/// Generic types of classes stay, as libraries ask for the arguments of their superclass.
final class Lean {
  private final Map<String, byte[]> entries;
  private final Used used;
  private final ClassFile rewriter;

  /// @param entries all files of the jar, by name
  Lean(Map<String, byte[]> entries, Used used) {
    this.entries = entries;
    this.used = used;
    var resolver =
        ClassHierarchyResolver.ofResourceParsing(description -> {
          String descriptor = description.descriptorString();
          byte[] found = entries.get(descriptor.substring(1, descriptor.length() - 1) + ".class");
          return found == null ? null : new ByteArrayInputStream(found);
        });
    rewriter =
        ClassFile.of(
            ClassFile.DebugElementsOption.DROP_DEBUG,
            ClassFile.LineNumbersOption.DROP_LINE_NUMBERS,
            ClassFile.ConstantPoolSharingOption.NEW_POOL,
            ClassFile.ClassHierarchyResolverOption.of(
                resolver.orElse(ClassHierarchyResolver.defaultResolver())));
  }

  /// The class `a/b/C`, of a library.
  byte[] lean(String name) {
    byte[] bytes = entries.get(name + ".class");
    CodeTransform code =
        (builder, element) -> {
          if (!isForCompilers(element)) {
            builder.with(element);
          }
        };
    ClassTransform methods =
        ClassTransform.transformingMethods(
            MethodTransform.dropping(Lean::isOfMember)
                .andThen(MethodTransform.transformingCode(code)));
    ClassTransform all =
        ClassTransform.dropping(element ->
                isForCompilers(element)
                    || element instanceof MethodModel method && !used.isKept(name, method))
            .andThen(methods)
            .andThen(ClassTransform.transformingFields(FieldTransform.dropping(Lean::isOfMember)));
    try {
      return rewriter.transformClass(rewriter.parse(bytes), all);
    } catch (IllegalArgumentException _) {
      return bytes; // it refers to a class of a library that is not here
    }
  }

  private static boolean isOfMember(ClassFileElement element) {
    return isForCompilers(element) || element instanceof SignatureAttribute;
  }

  private static boolean isForCompilers(ClassFileElement element) {
    return switch (element) {
      case RuntimeInvisibleAnnotationsAttribute _,
          RuntimeInvisibleParameterAnnotationsAttribute _,
          RuntimeInvisibleTypeAnnotationsAttribute _,
          RuntimeVisibleTypeAnnotationsAttribute _,
          DeprecatedAttribute _,
          MethodParametersAttribute _ ->
          true;
      default -> false;
    };
  }
}

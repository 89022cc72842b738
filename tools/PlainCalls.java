import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.MethodModel;
import java.lang.classfile.MethodTransform;
import java.lang.classfile.Opcode;
import java.lang.classfile.instruction.InvokeDynamicInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.DynamicCallSiteDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.reflect.AccessFlag;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Puts plain code in the place of what a class would have the JVM write for it at run time: a `switch` over types, and
/// `equals`, `hashCode` and `toString` of records.
///
/// The AOT cache keeps what lambdas and concatenations of strings come to, but not these (JDK 25): each costs a hidden class at
/// its first use in every run, about half a millisecond. A first start of a command passes twenty of them.
///
/// Same results, except that `hashCode` of a record may be another number than the JVM's, which nothing may rely on.
final class PlainCalls {
  private static final ClassDesc SWITCHES = ClassDesc.of("java.lang.runtime.SwitchBootstraps");
  private static final ClassDesc RECORDS = ClassDesc.of("java.lang.runtime.ObjectMethods");
  private static final ClassDesc OBJECTS = ClassDesc.of("java.util.Objects");
  private static final MethodTypeDesc EQUALS =
      MethodTypeDesc.of(ConstantDescs.CD_boolean, ConstantDescs.CD_Object, ConstantDescs.CD_Object);
  private static final MethodTypeDesc HASH =
      MethodTypeDesc.of(ConstantDescs.CD_int, ConstantDescs.CD_Object);
  private static final MethodTypeDesc CONCAT =
      MethodTypeDesc.of(ConstantDescs.CD_String, ConstantDescs.CD_String);

  private static final ClassFile CLASSES =
      ClassFile.of(
          ClassFile.ClassHierarchyResolverOption.of(
              ClassHierarchyResolver.ofResourceParsing(ClassLoader.getSystemClassLoader())));

  private PlainCalls() {}

  /// The class with what can be replaced replaced; the same array where there is nothing.
  static byte[] in(byte[] bytes) {
    ClassModel model = CLASSES.parse(bytes);
    boolean isInterface = model.flags().has(AccessFlag.INTERFACE);
    Map<MethodModel, DynamicCallSiteDesc> records = new HashMap<>();
    boolean switches = false;
    for (MethodModel method : model.methods()) {
      if (method.code().isEmpty()) {
        continue;
      }
      for (var element : method.code().get()) {
        if (element instanceof InvokeDynamicInstruction call) {
          switches |= isTypeSwitch(call);
          if (call.bootstrapMethod().owner().equals(RECORDS)) {
            records.put(
                method,
                DynamicCallSiteDesc.of(
                    call.bootstrapMethod(),
                    call.name().stringValue(),
                    call.typeSymbol(),
                    call.bootstrapArgs().toArray(ConstantDesc[]::new)));
          }
        }
      }
    }
    if (!switches && records.isEmpty()) {
      return bytes;
    }
    ClassDesc self = model.thisClass().asSymbol();
    List<InvokeDynamicInstruction> replaced = new ArrayList<>();
    CodeTransform calls =
        (code, instruction) -> {
          if (instruction instanceof InvokeDynamicInstruction call && isTypeSwitch(call)) {
            code.invokestatic(self, name(replaced.size()), call.typeSymbol(), isInterface);
            replaced.add(call);
          } else {
            code.with(instruction);
          }
        };
    ClassTransform transform =
        (builder, element) -> {
          if (element instanceof MethodModel method && records.containsKey(method)) {
            builder.withMethodBody(
                method.methodName().stringValue(),
                method.methodTypeSymbol(),
                method.flags().flagsMask(),
                code -> ofRecord(code, self, records.get(method)));
          } else if (element instanceof MethodModel method && method.code().isPresent()) {
            builder.transformMethod(method, MethodTransform.transformingCode(calls));
          } else {
            builder.with(element);
          }
        };
    transform =
        transform.andThen(
            ClassTransform.endHandler(builder -> {
              for (int i = 0; i < replaced.size(); i++) {
                typeSwitch(builder, name(i), replaced.get(i));
              }
            }));
    return CLASSES.transformClass(model, transform);
  }

  private static String name(int index) {
    return "switch$" + index;
  }

  private static boolean isTypeSwitch(InvokeDynamicInstruction call) {
    return call.bootstrapMethod().owner().equals(SWITCHES)
        && call.bootstrapMethod().methodName().equals("typeSwitch")
        && call.bootstrapArgs().stream().allMatch(ClassDesc.class::isInstance);
  }

  /// As `SwitchBootstraps.typeSwitch` has it: -1 for null, else the first label from `restart` on that fits, else how many
  /// there are.
  private static void typeSwitch(
      ClassBuilder builder, String name, InvokeDynamicInstruction replaced) {
    builder.withMethodBody(
        name,
        replaced.typeSymbol(),
        ClassFile.ACC_PRIVATE | ClassFile.ACC_STATIC | ClassFile.ACC_SYNTHETIC,
        code -> {
          var notNull = code.newLabel();
          code.aload(0).branch(Opcode.IFNONNULL, notNull).loadConstant(-1).ireturn();
          code.labelBinding(notNull);
          int index = 0;
          for (ConstantDesc label : replaced.bootstrapArgs()) {
            var next = code.newLabel();
            code.iload(1).loadConstant(index).if_icmpgt(next);
            code.aload(0).instanceOf((ClassDesc) label).ifeq(next);
            code.loadConstant(index).ireturn();
            code.labelBinding(next);
            index++;
          }
          code.loadConstant(index).ireturn();
        });
  }

  private static void ofRecord(CodeBuilder code, ClassDesc self, DynamicCallSiteDesc method) {
    ConstantDesc[] arguments = method.bootstrapArgs();
    String names = (String) arguments[1];
    List<String> fields = names.isEmpty() ? List.of() : List.of(names.split(";"));
    List<ClassDesc> types = new ArrayList<>();
    for (int i = 0; i < fields.size(); i++) {
      var getter = (java.lang.constant.DirectMethodHandleDesc) arguments[2 + i];
      types.add(getter.invocationType().returnType());
    }
    switch (method.invocationName()) {
      case "equals" -> equals(code, self, fields, types);
      case "hashCode" -> hash(code, self, fields, types);
      case "toString" -> string(code, self, fields, types);
      default -> throw new IllegalStateException(self + " has " + method);
    }
  }

  private static void equals(
      CodeBuilder code, ClassDesc self, List<String> fields, List<ClassDesc> types) {
    var same = code.newLabel();
    var different = code.newLabel();
    code.aload(0).aload(1).if_acmpeq(same);
    code.aload(1).instanceOf(self).ifeq(different);
    if (!fields.isEmpty()) {
      code.aload(1).checkcast(self).astore(2);
    }
    for (int i = 0; i < fields.size(); i++) {
      ClassDesc type = types.get(i);
      code.aload(0).getfield(self, fields.get(i), type);
      code.aload(2).getfield(self, fields.get(i), type);
      if (!type.isPrimitive()) {
        code.invokestatic(OBJECTS, "equals", EQUALS).ifeq(different);
      } else if (type.equals(ConstantDescs.CD_long)) {
        code.lcmp().ifne(different);
      } else if (type.equals(ConstantDescs.CD_double) || type.equals(ConstantDescs.CD_float)) {
        code.invokestatic(box(type), "compare", MethodTypeDesc.of(ConstantDescs.CD_int, type, type))
            .ifne(different);
      } else {
        code.if_icmpne(different);
      }
    }
    code.labelBinding(same).loadConstant(1).ireturn();
    code.labelBinding(different).loadConstant(0).ireturn();
  }

  private static void hash(
      CodeBuilder code, ClassDesc self, List<String> fields, List<ClassDesc> types) {
    code.loadConstant(0);
    for (int i = 0; i < fields.size(); i++) {
      ClassDesc type = types.get(i);
      code.loadConstant(31).imul().aload(0).getfield(self, fields.get(i), type);
      if (type.isPrimitive()) {
        code.invokestatic(box(type), "hashCode", MethodTypeDesc.of(ConstantDescs.CD_int, type));
      } else {
        code.invokestatic(OBJECTS, "hashCode", HASH);
      }
      code.iadd();
    }
    code.ireturn();
  }

  private static void string(
      CodeBuilder code, ClassDesc self, List<String> fields, List<ClassDesc> types) {
    String whole = self.displayName(); // Outer$Inner for a nested one; its simple name is wanted
    String simple = whole.substring(whole.lastIndexOf('$') + 1);
    code.loadConstant(simple + "[");
    for (int i = 0; i < fields.size(); i++) {
      ClassDesc type = types.get(i);
      code.loadConstant((i == 0 ? "" : ", ") + fields.get(i) + "=")
          .invokevirtual(ConstantDescs.CD_String, "concat", CONCAT);
      code.aload(0).getfield(self, fields.get(i), type);
      code.invokestatic(
              ConstantDescs.CD_String,
              "valueOf",
              MethodTypeDesc.of(ConstantDescs.CD_String, printed(type)))
          .invokevirtual(ConstantDescs.CD_String, "concat", CONCAT);
    }
    code.loadConstant("]").invokevirtual(ConstantDescs.CD_String, "concat", CONCAT).areturn();
  }

  private static ClassDesc printed(ClassDesc type) {
    if (!type.isPrimitive()) {
      return ConstantDescs.CD_Object;
    }
    return type.equals(ConstantDescs.CD_byte) || type.equals(ConstantDescs.CD_short)
        ? ConstantDescs.CD_int
        : type;
  }

  private static ClassDesc box(ClassDesc primitive) {
    return switch (primitive.descriptorString()) {
      case "Z" -> ConstantDescs.CD_Boolean;
      case "B" -> ConstantDescs.CD_Byte;
      case "C" -> ConstantDescs.CD_Character;
      case "S" -> ConstantDescs.CD_Short;
      case "I" -> ConstantDescs.CD_Integer;
      case "J" -> ConstantDescs.CD_Long;
      case "F" -> ConstantDescs.CD_Float;
      case "D" -> ConstantDescs.CD_Double;
      default -> throw new IllegalStateException(primitive.descriptorString());
    };
  }
}

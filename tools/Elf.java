import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Takes the symbol table for debuggers out of a shared library: 5 MB of `libjvm.so`. What the loader reads stays as it is.
///
/// Those two sections stand last in the file but for the names of sections, and nothing that is loaded refers to them;
/// a file in which that is otherwise is left alone.
final class Elf {
  private static final int HEADER = 64;
  private static final int SECTION = 64;
  private static final int SYMTAB = 2;

  private record Section(byte[] header, int type, long flags, int link, byte[] content) {
    boolean isLoaded() {
      return (flags & 2) != 0;
    }
  }

  private Elf() {}

  /// Rewrites `file` if it is a 64-bit little-endian ELF file with a symbol table.
  static void strip(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer elf = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (bytes.length < HEADER || elf.getInt(0) != 0x464c457f || bytes[4] != 2 || bytes[5] != 1) {
      return;
    }
    List<Section> sections = sections(elf);
    int symtab = -1;
    for (int i = 0; i < sections.size(); i++) {
      symtab = sections.get(i).type == SYMTAB ? i : symtab;
    }
    int names = elf.getShort(62);
    int count = sections.size();
    // .symtab, .strtab, .shstrtab, and nothing after them
    if (symtab != count - 3 || sections.get(symtab).link != count - 2 || names != count - 1) {
      return;
    }
    int loadedEnd = 0;
    for (Section section : sections) {
      if (section.isLoaded() && section.type != 8) {
        loadedEnd = Math.max(loadedEnd, (int) (offset(section) + section.content.length));
      }
    }
    List<Section> left = new ArrayList<>(sections.subList(0, symtab));
    left.add(sections.getLast());
    write(file, bytes, loadedEnd, left);
  }

  private static List<Section> sections(ByteBuffer elf) {
    long table = elf.getLong(40);
    int count = elf.getShort(60);
    List<Section> sections = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      byte[] header = new byte[SECTION];
      elf.get((int) table + i * SECTION, header);
      ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
      int type = fields.getInt(4);
      byte[] content = new byte[type == 8 || type == 0 ? 0 : (int) fields.getLong(32)]; // 8: NOBITS
      elf.get((int) fields.getLong(24), content);
      sections.add(new Section(header, type, fields.getLong(8), fields.getInt(40), content));
    }
    return sections;
  }

  private static long offset(Section section) {
    return ByteBuffer.wrap(section.header).order(ByteOrder.LITTLE_ENDIAN).getLong(24);
  }

  private static void write(Path file, byte[] bytes, int loadedEnd, List<Section> sections)
      throws IOException {
    ByteBuffer out = ByteBuffer.allocate(bytes.length).order(ByteOrder.LITTLE_ENDIAN);
    out.put(bytes, 0, loadedEnd);
    for (Section section : sections) {
      if (!section.isLoaded() && section.type != 0) {
        out.position((out.position() + 7) & -8);
        ByteBuffer.wrap(section.header).order(ByteOrder.LITTLE_ENDIAN).putLong(24, out.position());
        out.put(section.content);
      }
    }
    out.position((out.position() + 7) & -8);
    out.putLong(40, out.position());
    out.putShort(60, (short) sections.size());
    out.putShort(62, (short) (sections.size() - 1));
    sections.forEach(section -> out.put(section.header));
    byte[] stripped = new byte[out.position()];
    out.get(0, stripped);
    Files.write(file, stripped);
  }
}

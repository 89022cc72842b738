package dev.sandpiper.agent.filesystem.watch;

import java.util.Set;

/// File systems that a watch treats differently, by the magic numbers of statfs(2).
final class FileSystems {
  /// NFS, CIFS, SMB, SMB2 and FUSE: what happens on the other side is not told to this kernel.
  private static final Set<Long> NETWORK =
      Set.of(0x6969L, 0xFF534D42L, 0x517BL, 0xFE534D42L, 0x65735546L);

  /// Made by the kernel of itself: they tell little or nothing to inotify(7), and hold more directories than the sandbox.
  private static final Set<Long> PSEUDO =
      Set.of(
          0x9FA0L, // proc
          0x62656572L, // sysfs
          0x27E0EBL, // cgroup
          0x63677270L, // cgroup2
          0x1CD1L, // devpts
          0x64626720L, // debugfs
          0x74726163L, // tracefs
          0x73636673L, // securityfs
          0x62656570L, // configfs
          0xCAFE4A11L, // bpf
          0x6165676CL, // pstore
          0xDE5E81E4L, // efivarfs
          0xF97CFF8CL, // selinux
          0x42494E4DL, // binfmt_misc
          0x19800202L, // mqueue
          0x6E736673L, // nsfs
          0x0187L); // autofs, which would be mounted by looking

  private FileSystems() {}

  static boolean isNetwork(long type) {
    return NETWORK.contains(type);
  }

  static boolean isPseudo(long type) {
    return PSEUDO.contains(type);
  }
}

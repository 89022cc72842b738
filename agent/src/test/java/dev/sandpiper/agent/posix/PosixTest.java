package dev.sandpiper.agent.posix;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class PosixTest {
  @TempDir Path dir;

  private static ByteBuffer direct(String text) {
    byte[] bytes = text.getBytes(UTF_8);
    return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
  }

  private static String text(ByteBuffer read) {
    read.flip();
    byte[] bytes = new byte[read.remaining()];
    read.get(bytes);
    return new String(bytes, UTF_8);
  }

  private String path(String name) {
    return dir.resolve(name).toString();
  }

  @Test
  void writesAndReadsFilesAdvancingTheBuffer() {
    int fd = Posix.open(path("a"), Fcntl.O_RDWR | Fcntl.O_CREAT | Fcntl.O_CLOEXEC, 0600);
    assertThat(fd).isPositive();
    ByteBuffer hello = direct("hello, world");
    assertThat(Posix.write(fd, hello)).isEqualTo(12);
    assertThat(hello.hasRemaining()).isFalse();
    ByteBuffer part = ByteBuffer.allocateDirect(5);
    assertThat(Posix.pread(fd, part, 7)).isEqualTo(5);
    assertThat(text(part)).isEqualTo("world");
    assertThat(Posix.pwrite(fd, direct("W"), 7)).isEqualTo(1);
    assertThat(Posix.lseek(fd, 0, Fcntl.SEEK_SET)).isZero();
    ByteBuffer all = ByteBuffer.allocateDirect(100);
    all.position(10); // reads go to the position, not to the start
    assertThat(Posix.read(fd, all)).isEqualTo(12);
    assertThat(all.position()).isEqualTo(22);
    assertThat(all.get(10)).isEqualTo((byte) 'h');
    assertThat(Posix.ftruncate(fd, 5)).isZero();
    assertThat(Posix.status(fd)).isNotNull().extracting(FileStatus::size).isEqualTo(5L);
    assertThat(Posix.fdatasync(fd)).isZero();
    assertThat(Posix.fsync(fd)).isZero();
    assertThat(Posix.close(fd)).isZero();
    assertThat(Posix.close(fd)).isEqualTo(-Errno.EBADF);
  }

  @Test
  void answersTheNegativeErrorNumber() {
    assertThat(Posix.open(path("none"), Fcntl.O_RDONLY, 0)).isEqualTo(-Errno.ENOENT);
    assertThat(Posix.open(dir + "/nul\0inside", Fcntl.O_RDONLY, 0)).isEqualTo(-Errno.EINVAL);
    assertThat(Posix.open("/" + "x".repeat(5000), Fcntl.O_RDONLY, 0))
        .isEqualTo(-Errno.ENAMETOOLONG);
    assertThat(Posix.unlink(path("none"))).isEqualTo(-Errno.ENOENT);
    assertThat(Posix.rename(path("none"), path("other"))).isEqualTo(-Errno.ENOENT);
    assertThat(Posix.statusError(path("none"))).isEqualTo(-Errno.ENOENT);
    assertThat(Posix.status(path("none"))).isNull();
    assertThat(Errno.describe(-Errno.ENOENT)).isEqualTo("no such file or directory (ENOENT)");
    assertThat(Errno.name(-200)).isEqualTo("errno 200");
  }

  @Test
  void refusesHeapBuffers() {
    assertThatThrownBy(() -> Posix.read(0, ByteBuffer.allocate(1)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void keepsPathsThatAreNotAscii() throws Exception {
    assertThat(Posix.mkdir(path("ä漢😀"), 0700)).isZero();
    assertThat(Files.isDirectory(dir.resolve("ä漢😀"))).isTrue();
    assertThat(Posix.rename(path("ä漢😀"), path("ß"))).isZero();
    assertThat(Posix.symlink("ß", path("link"))).isZero();
    assertThat(Posix.readlink(path("link"))).isEqualTo("ß");
    assertThat(Posix.readlink(path("ß"))).isNull();
    FileStatus link = requireNonNull(Posix.linkStatus(path("link")));
    assertThat(link.isSymbolicLink()).isTrue();
    assertThat(Posix.rmdir(path("ß"))).isZero();
  }

  @Test
  void readsTheSameStatusAsTheJdk() throws Exception {
    Path file = Files.writeString(dir.resolve("f"), "12345");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-x--x"));
    FileStatus status = requireNonNull(Posix.status(file.toString()));
    assertThat(status.isRegular()).isTrue();
    assertThat(status.isDirectory()).isFalse();
    assertThat(status.permissions()).isEqualTo(0651);
    assertThat(status.size()).isEqualTo(5);
    assertThat(status.inode()).isEqualTo(Files.getAttribute(file, "unix:ino"));
    assertThat(status.device()).isEqualTo(Files.getAttribute(file, "unix:dev"));
    assertThat(status.uid()).isEqualTo(Files.getAttribute(file, "unix:uid"));
    assertThat(status.gid()).isEqualTo(Files.getAttribute(file, "unix:gid"));
    assertThat(status.links()).isEqualTo(1);
    assertThat(status.modifiedNanos() / 1000)
        .isEqualTo(Files.getLastModifiedTime(file).to(java.util.concurrent.TimeUnit.MICROSECONDS));
    assertThat(Posix.chmod(file.toString(), 0400)).isZero();
    assertThat(Posix.access(file.toString(), Fcntl.R_OK)).isZero();
    assertThat(Posix.access(file.toString(), Fcntl.X_OK)).isEqualTo(-Errno.EACCES);
  }

  @Test
  void splicesFromPipeToFileAndSendsBack() {
    int[] pipe = new int[2];
    assertThat(Posix.pipe2(pipe, Fcntl.O_CLOEXEC | Fcntl.O_NONBLOCK)).isZero();
    assertThat(Posix.fcntl(pipe[0], Fcntl.F_SETPIPE_SZ, 256 * 1024)).isEqualTo(256 * 1024);
    int file = Posix.open(path("seg"), Fcntl.O_RDWR | Fcntl.O_CREAT | Fcntl.O_CLOEXEC, 0600);
    assertThat(Posix.splice(pipe[0], file, 65536, Fcntl.SPLICE_F_NONBLOCK))
        .isEqualTo(-Errno.EAGAIN);
    Posix.write(pipe[1], direct("first "));
    assertThat(Posix.splice(pipe[0], file, 65536, Fcntl.SPLICE_F_NONBLOCK)).isEqualTo(6);
    Posix.write(pipe[1], direct("second"));
    assertThat(Posix.splice(pipe[0], file, 65536, Fcntl.SPLICE_F_NONBLOCK)).isEqualTo(6);
    assertThat(Posix.sendfile(pipe[1], file, 6, 6)).isEqualTo(6);
    assertThat(Posix.spliceFrom(file, 0, pipe[1], 5, 0)).isEqualTo(5);
    ByteBuffer got = ByteBuffer.allocateDirect(100);
    assertThat(Posix.read(pipe[0], got)).isEqualTo(11);
    assertThat(text(got)).isEqualTo("secondfirst");
    Posix.close(pipe[1]);
    assertThat(Posix.read(pipe[0], ByteBuffer.allocateDirect(1))).isZero();
    Posix.close(pipe[0]);
    Posix.close(file);
  }

  @Test
  void makesFifosAndSwitchesBlocking() {
    assertThat(Posix.mkfifo(path("fifo"), 0600)).isZero();
    assertThat(Posix.mkfifo(path("fifo"), 0600)).isEqualTo(-Errno.EEXIST);
    FileStatus status = requireNonNull(Posix.status(path("fifo")));
    assertThat(status.isFifo()).isTrue();
    int read = Posix.open(path("fifo"), Fcntl.O_RDONLY | Fcntl.O_NONBLOCK | Fcntl.O_CLOEXEC, 0);
    assertThat(Posix.fcntl(read, Fcntl.F_GETFL, 0) & Fcntl.O_NONBLOCK).isNotZero();
    assertThat(Posix.setNonBlocking(read, false)).isZero();
    assertThat(Posix.fcntl(read, Fcntl.F_GETFL, 0) & Fcntl.O_NONBLOCK).isZero();
    int copy = Posix.dup(read);
    assertThat(Posix.fcntl(copy, Fcntl.F_GETFD, 0)).isEqualTo(Fcntl.FD_CLOEXEC);
    Posix.close(copy);
    Posix.close(read);
  }

  @Test
  void knowsTheTypeOfAFileSystem() throws Exception {
    String mounted = Files.readString(Path.of("/proc/mounts"));
    assertThat(Posix.fileSystemType("/proc")).isEqualTo(0x9FA0);
    if (mounted.contains(" /dev/shm tmpfs ")) {
      assertThat(Posix.fileSystemType("/dev/shm")).isEqualTo(Posix.TMPFS);
    }
    assertThat(Posix.fileSystemType(path("none"))).isEqualTo(-Errno.ENOENT);
  }

  @Test
  void opensDirectoriesOnlyAsAsked() throws Exception {
    Files.createFile(dir.resolve("plain"));
    int flags = Fcntl.O_PATH | Fcntl.O_DIRECTORY | Fcntl.O_CLOEXEC;
    assertThat(Posix.open(path("plain"), flags, 0)).isEqualTo(-Errno.ENOTDIR);
    int fd = Posix.open(dir.toString(), flags, 0);
    assertThat(fd).isPositive();
    Posix.close(fd);
    Posix.symlink("plain", path("link"));
    assertThat(Posix.open(path("link"), Fcntl.O_RDONLY | Fcntl.O_NOFOLLOW, 0))
        .isEqualTo(-Errno.ELOOP);
  }

  @Test
  void secondHolderOfALockIsRefused() {
    int first = Posix.open(path("lock"), Fcntl.O_RDWR | Fcntl.O_CREAT, 0600);
    int second = Posix.open(path("lock"), Fcntl.O_RDWR, 0600);
    assertThat(Posix.flock(first, Fcntl.LOCK_EX | Fcntl.LOCK_NB)).isZero();
    assertThat(Posix.flock(second, Fcntl.LOCK_EX | Fcntl.LOCK_NB)).isEqualTo(-Errno.EAGAIN);
    Posix.close(first);
    Posix.close(second);
  }

  @Test
  void eachThreadSeesItsOwnErrors() throws Exception {
    List<Callable<Void>> work = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      boolean missing = i % 2 == 0;
      work.add(() -> {
        for (int round = 0; round < 20_000; round++) {
          int answer = missing ? Posix.unlink("/none/" + round) : Posix.close(-1);
          assertThat(answer).isEqualTo(missing ? -Errno.ENOENT : -Errno.EBADF);
        }
        return null;
      });
    }
    try (var platform = Executors.newFixedThreadPool(4);
        var virtual = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Void>> all = new ArrayList<>(platform.invokeAll(work));
      all.addAll(virtual.invokeAll(work));
      for (Future<Void> one : all) {
        one.get();
      }
    }
  }

  @Test
  void knowsBothProcessorFamiliesAndNoOther() {
    assertThat(Abi.isArm("amd64")).isFalse();
    assertThat(Abi.isArm("aarch64")).isTrue();
    assertThatThrownBy(() -> Abi.isArm("riscv64")).hasMessageContaining("riscv64");
  }
}

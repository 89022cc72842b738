#!/bin/sh
# The archive of the image in a root file system with nothing but a shell, the C library and what the kernel offers:
#
#   tarball.sh [ARCHIVE]      else the newest agent/target/sandpiper-*.tar.gz, else agent/target/sandpiper itself
#
# Needs root. The shell is this machine's /bin/sh, or SANDPIPER_SH, such as a busybox that is linked statically. Also boots it with the init of docs/deploy.md, as process 1 of namespaces of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
[ "$(id -u)" = 0 ] || skip "chroot and mounts need root"
work=$(mktemp -d)
bare=$work/bare
token=
child=
cleanup() {
  [ -z "$child" ] || kill -9 "$child" 2>/dev/null || true
  until_true 10 umount -R "$bare/proc" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

mkdir -p "$bare/bin" "$bare/sbin" "$bare/proc" "$bare/sys" "$bare/dev" "$bare/run" "$bare/var/lib" "$bare/etc" "$bare/opt"
# A program and the libraries it is linked with.
put() {
  cp -L "$1" "$bare/bin/$(basename "$2")"
  { ldd "$1" | grep -o '/[^ ]*' || true; } | while read -r library; do
    mkdir -p "$bare$(dirname "$library")"
    cp -L "$library" "$bare$library"
  done
}
put /bin/sh sh
[ -z "${SANDPIPER_SH-}" ] || cp -L "$SANDPIPER_SH" "$bare/bin/sh"
# The Java runtime's own needs beyond those of a shell.
for library in libdl.so.2 libpthread.so.0 libm.so.6 librt.so.1; do
  found=$(ldconfig -p | awk -v name="$library" '$1 == name { print $NF; exit }')
  [ -z "$found" ] || cp -L "$found" "$bare$(dirname "$(ldd /bin/sh | grep -o '/[^ ]*libc.so.6')")/"
done
for device in "null 1 3" "zero 1 5" "random 1 8" "urandom 1 9"; do
  # shellcheck disable=SC2086
  set -- "${1-}" $device
  mknod -m 666 "$bare/dev/$2" c "$3" "$4"
  set -- "$1"
done
archive=${1-}
[ -n "$archive" ] || archive=$(ls -t "$root"/agent/target/sandpiper-*-linux-*.tar.gz 2>/dev/null | head -1)
if [ -n "$archive" ]; then
  mkdir "$work/unpacked"
  tar -xzf "$archive" -C "$work/unpacked"
  mv "$work"/unpacked/sandpiper* "$bare/opt/sandpiper"
  ok "unpacked $(basename "$archive")"
else
  cp -a "$root/agent/target/sandpiper" "$bare/opt/sandpiper"
  ok "no archive there: taken agent/target/sandpiper"
fi
(cd "$bare" && find . -type f ! -path './opt/*' | sort | sed 's/^/      /')

# --- Nothing but a shell. ---
port=$(free_port)
mount -t proc proc "$bare/proc"
env -i "SANDPIPER_PORT=$port" "$(command -v chroot)" "$bare" /opt/sandpiper/bin/sandpiper-supervise serve --state-dir /var/lib/sandpiper \
  >"$work/out" 2>"$work/err" &
child=$!
until_true 60 healthy || { cat "$work/err" >&2; fail "no /health"; }
ok "serves /health without a variable, a package, /etc or a device but null, zero and random"
env -i "SANDPIPER_PORT=$port" "$(command -v chroot)" "$bare" /opt/sandpiper/bin/sandpiper-health || fail "the health check"
agent=$(cat "/proc/$child/task/$child/children")
grep -q 'sandpiper\.aot' "/proc/${agent% }/maps" || fail "the AOT cache is not used"
ok "the AOT cache is used"
begin='{"command":"/bin/sh","args":["-c","echo one; while [ ! -e /go ]; do :; done; echo two; exit 3"]}'
id=$(call "http://127.0.0.1:$port/v1/process" -H 'Content-Type: application/json' -d "$begin" | member id)
until_true 20 grep -q '"message":"one"' "$work/out" || fail "no record"
kill -9 "${agent% }"
until_true 20 grep -q 'starting it again' "$work/err" || fail "nobody starts the agent again"
until_true 60 healthy || fail "no /health after a crash"
: >"$bare/go"
# Without `sleep` there is no keeper, so what the command prints now may find nobody; but it is known, and so is what it printed.
call "http://127.0.0.1:$port/v1/process/$id" | member status >/dev/null || fail "its command is forgotten"
call "http://127.0.0.1:$port/v1/process/$id/files/stdout.log" | grep -q one || fail "its output is forgotten"
kill "$child"
code=0
wait "$child" || code=$?
child=
[ "$code" = 0 ] || fail "stopped, it ends with $code"
ok "killed, it comes back and knows its command; stopped, it ends with 0"
umount "$bare/proc"

# --- As process 1, with the init that the document shows. ---
for program in mount mkdir ln sync poweroff sleep; do
  found=$(command -v "$program" || true)
  if [ -n "$found" ]; then put "$found" "$program"; fi
done
[ -e "$bare/bin/poweroff" ] && printf '#!/bin/sh\necho powered off >&2\n' >"$bare/bin/poweroff"
mkdir -p "$bare/var/lib/sandpiper"
awk '$0 == "```sh" { inside = 1; text = ""; next } /^```/ { if (inside && text ~ /mount -t proc/) printf "%s", text; inside = 0 } inside { text = text $0 "\n" }' \
  "$root/docs/deploy.md" >"$bare/sbin/init"
chmod 755 "$bare/sbin/init"
port=$(free_port)
unshare --mount --pid --uts --ipc --fork --kill-child env -i "SANDPIPER_PORT=$port" "$(command -v chroot)" "$bare" /sbin/init >"$work/out2" 2>"$work/err2" &
child=$!
until_true 60 healthy || { cat "$work/err2" >&2; fail "no /health with the document's init"; }
token=booted
call "http://127.0.0.1:$port/init" -d "{\"accessToken\":\"$token\"}" >/dev/null
call "http://127.0.0.1:$port/v1/process" -H 'Content-Type: application/json' \
  -d '{"command":"/bin/sh","args":["-c","read -r a b </proc/1/comm; echo process 1 is $a"]}' >/dev/null
until_true 20 grep -q '"message":"process 1 is init"' "$work/out2" || fail "not in a pid namespace"
ok "the document's init starts it as a machine's first program"

rm -f "$bare/go"
id=$(call "http://127.0.0.1:$port/v1/process" -H 'Content-Type: application/json' -d "$begin" | member id)
until_true 20 grep -q '"message":"one"' "$work/out2" || fail "no record"
for process in /proc/[0-9]*; do
  read -r comm <"$process/comm" || continue
  if [ "$comm" = java ] && [ "$(readlink "$process/root")" = "$bare" ]; then kill -9 "${process#/proc/}"; fi
done 2>/dev/null
until_true 20 grep -q 'starting it again' "$work/err2" || fail "nobody starts the agent again"
until_true 60 healthy || fail "no /health after a crash"
call "http://127.0.0.1:$port/init" -d "{\"accessToken\":\"$token\"}" >/dev/null
: >"$bare/go"
ended() { call "http://127.0.0.1:$port/v1/process/$id" | grep -q '"exitCode":3'; }
until_true 20 ended || { call "http://127.0.0.1:$port/v1/process/$id"; fail "the command's end"; }
call "http://127.0.0.1:$port/v1/process/$id/files/stdout.log" | grep -q two || fail "its output is not whole"
ok "there, with sleep for a keeper: killed, it comes back to its command, whose output and exit code are right"

#!/bin/sh
# The image on Debian releases with their glibc, each made by debootstrap: glibc.sh SUITE…
# A suite can also be a directory with a root file system that is there already. Needs root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
[ "$(id -u)" = 0 ] || skip "chroot needs root"
work=$(mktemp -d)
token=
child=
cleanup() {
  [ -z "$child" ] || kill -9 "$child" 2>/dev/null || true
  for it in "$work"/*/proc; do umount "$it" 2>/dev/null || true; done
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
image=$root/agent/target/sandpiper
for suite; do
  name=$(basename "$suite")
  base=$work/$name
  if [ -d "$suite" ]; then
    cp -a "$suite" "$base"
  else
    command -v debootstrap >/dev/null || skip "debootstrap is not installed"
    # shellcheck disable=SC2086
    debootstrap --variant=minbase ${DEBOOTSTRAP_ARGS-} "$suite" "$base" ${MIRROR:+"$MIRROR"} >"$work/log" 2>&1 ||
      { tail "$work/log" >&2; fail "debootstrap $suite"; }
  fi
  mkdir -p "$base/opt"
  cp -a "$image" "$base/opt/sandpiper"
  glibc=$(chroot "$base" ldd --version | sed -n '1s/.* //p')
  port=$(free_port)
  mount -t proc proc "$base/proc"
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "SANDPIPER_PORT=$port" chroot "$base" /opt/sandpiper/bin/sandpiper-supervise serve \
    --state-dir /var/lib/sandpiper >"$work/out" 2>"$work/err" &
  child=$!
  if until_true 60 healthy; then
    agent=$(cat "/proc/$child/task/$child/children")
    grep -q 'sandpiper\.aot' "/proc/${agent% }/maps" && cache="with its AOT cache" || cache="without its AOT cache"
    call "http://127.0.0.1:$port/v1/process" -H 'Content-Type: application/json' -H "Authorization: Basic $(printf nobody: | base64)" \
      -d '{"command":"sh","args":["-c","id -un; exit 3"],"cwd":"/"}' >"$work/answer"
    until_true 20 grep -q '"message":"nobody"' "$work/out" || { cat "$work/answer" "$work/err" >&2; fail "$name: a command as another user"; }
    SANDPIPER_PORT=$port chroot "$base" /opt/sandpiper/bin/sandpiper-health || fail "$name: the health check"
    kill "$child"
    code=0
    wait "$child" || code=$?
    [ "$code" = 0 ] || fail "$name: stopped, it ends with $code"
    ok "$name, glibc $glibc: runs, $cache"
  else
    tail -3 "$work/err"
    kill -9 "$child" 2>/dev/null || true
    fail "$name, glibc $glibc: does not run"
  fi
  child=
  until_true 10 umount "$base/proc"
done

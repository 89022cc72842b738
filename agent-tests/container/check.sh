#!/bin/sh
# Builds the container image of the Dockerfile and checks what it promises, by running it:
#
#   agent-tests/container/check.sh                with docker or podman and a registry
#   agent-tests/container/check.sh --offline      on the bases that bases.sh makes, with podman or buildah
#   IMAGE=NAME agent-tests/container/check.sh     an image that is there already
#   RUN_IMAGE=NAME …                              on another base
#
# lib.sh tells which engine is taken. Needs curl and python3. Exit code 77: skipped, and why.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
find_engine
work=$(mktemp -d)
token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
names=
cleanup() {
  for it in $names; do discard "$it"; done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

image=${IMAGE-}
if [ -z "$image" ]; then
  image=localhost/sandpiper:check
  set -- "${1-}"
  if [ "$1" = --offline ]; then
    set -- --build-arg BUILD_IMAGE=localhost/sandpiper-base:build \
      --build-arg TINI_IMAGE=localhost/sandpiper-base:bookworm \
      --build-arg RUN_IMAGE="${RUN_IMAGE:-localhost/sandpiper-base:bookworm}" --build-arg MAVEN_OPTIONS=-o
  else
    set -- ${RUN_IMAGE:+--build-arg RUN_IMAGE="$RUN_IMAGE"}
  fi
  image_build "$@" -t "$image" "$root" || fail "the image does not build"
  ok "the image builds"
fi

begin() {
  port=$(free_port)
  container=sandpiper-check-$1-$$
  names="$names $container"
  shift
  start "$container" "$image" "$port" "$@"
  until_true 60 healthy || { cat "$work/$container.err" >&2; fail "no /health within a minute"; }
}

init() {
  call "http://127.0.0.1:$port/init" -d "{\"accessToken\":\"$token\"}" >/dev/null || fail "/init"
}

kill_agent() {
  # shellcheck disable=SC2016
  beside "$container" sh -c 'kill -9 "$1"' sh "$(agent_pid "$container")" || fail "the agent cannot be killed"
}

status_of() {
  call "http://127.0.0.1:$port/v1/process/$1" | member "$2"
}

command_begin() {
  # shellcheck disable=SC2016
  call "http://127.0.0.1:$port/v1/process" -H 'Content-Type: application/json' \
    -d '{"command":"sh","args":["-c","id -u; trap \"echo bye; exit 7\" TERM; i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; sleep 0.1; done"]}' |
    member id
}

# --- As the image is. ---
begin plain
ok "the container serves /health"
[ "$(call -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/metrics")" = 401 ] || fail "it serves before /init"
init
ok "/init sets the token, before it everything is refused"
inside "$container" sh -c "SANDPIPER_PORT=$port /opt/sandpiper/bin/sandpiper-health" || fail "the health check"
if inside "$container" sh -c "SANDPIPER_PORT=1 /opt/sandpiper/bin/sandpiper-health" 2>/dev/null; then
  fail "the health check is content with a port where nobody listens"
fi
ok "the health check sees the agent"
agent=$(agent_pid "$container")
beside "$container" grep -q 'sandpiper\.aot' "/proc/$agent/maps" || fail "the AOT cache is not used: were time stamps changed?"
ok "the AOT cache is used"

id=$(command_begin)
until_true 20 grep -q '"message":"line 3"' "$work/$container.out" || fail "no record of its output"
grep -q '"message":"1000"' "$work/$container.out" || fail "the command does not run as uid 1000"
ok "a command runs, as uid 1000, and its lines are records on standard output"
kill_agent
until_true 20 grep -q 'status 137: starting it again' "$work/$container.err" || fail "nobody starts the agent again"
until_true 60 healthy || fail "no /health after a crash"
[ "$(agent_pid "$container")" != "$agent" ] || fail "it is the same agent"
init
[ "$(status_of "$id" status)" = running ] || fail "its command is gone"
until_true 30 grep -q '"event_type":"process_end"' "$work/$container.out" || fail "no end"
[ "$(status_of "$id" exitCode)" = 0 ] || fail "its exit code"
call "http://127.0.0.1:$port/v1/process/$id/files/stdout.log" | grep -o 'line [0-9]*' >"$work/lines"
seq 1 100 | sed 's/^/line /' | cmp - "$work/lines" || fail "its output is not whole"
ok "the agent is killed with -9, comes back to its command, and the output is whole"

id=$(command_begin)
until_true 20 sh -c "grep -c '\"message\":\"line 1\"' '$work/$container.out' | grep -qx 2" || fail "no second command"
stop "$container"
code=0
exit_code || code=$?
[ "$code" = 0 ] || fail "stopped, it ends with $code"
grep -q '"message":"bye"' "$work/$container.out" || fail "its command had no time to say good-bye"
if grep -v '^{"@timestamp".*}$' "$work/$container.out"; then fail "something else than records on standard output"; fi
ok "SIGTERM gives commands their time; exit code 0; standard output was records only"

# --- Five crashes. ---
begin crashes
for crash in 1 2 3 4 5; do
  until_true 60 healthy || fail "no /health before crash $crash"
  kill_agent
  [ "$crash" = 5 ] || until_true 20 sh -c "grep -c 'starting it again' '$work/$container.err' | grep -qx $crash" || fail "crash $crash"
done
code=0
exit_code || code=$?
[ "$code" = 137 ] || fail "after five crashes it ends with $code"
grep -q 'giving up' "$work/$container.err" || fail "it does not say that it gives up"
ok "the fifth crash in a minute ends the container, with the agent's status"

# --- As root. ---
begin root --user root
init
id=$(command_begin)
until_true 20 grep -q '"message":"0"' "$work/$container.out" || fail "not root"
call "http://127.0.0.1:$port/v1/process" -H 'Content-Type: application/json' -H "Authorization: Basic $(printf user: | base64)" \
  -d '{"command":"sh","args":["-c","echo I am $(id -un)"]}' >/dev/null
until_true 20 grep -q '"message":"I am user"' "$work/$container.out" || fail "another user's command"
stop "$container"
exit_code || fail "as root it ends with $?"
ok "as root it runs commands as root and as another user"

# --- Read-only. ---
if [ "$SANDPIPER_ENGINE" = buildah ]; then
  echo "-     read-only: not with buildah, whose chroot isolation has no read-only root"
else
  volume=sandpiper-check-$$
  begin readonly --read-only --volume "$volume:/var/lib/sandpiper"
  init
  id=$(command_begin)
  until_true 20 grep -q '"message":"line 3"' "$work/$container.out" || fail "no record of its output"
  grep -q temporary "$work/$container.out" "$work/$container.err" && fail "its state is in a temporary directory"
  stop "$container"
  exit_code || fail "read-only it ends with $?"
  discard "$container"
  engine volume rm "$volume" >/dev/null
  ok "a read-only root with a volume for the state"
fi

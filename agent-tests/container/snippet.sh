#!/bin/sh
# Builds the first Dockerfile of docs/deploy.md, that for Debian and Ubuntu, and runs it:
#
#   snippet.sh [BASE]      on another base than the document's, such as localhost/sandpiper-base:noble (see bases.sh)
#
# Takes the agent from agent/target/sandpiper. lib.sh tells which engine is taken. Needs curl and python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
find_engine
work=$(mktemp -d)
token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
container=sandpiper-snippet-$$
cleanup() {
  discard "$container"
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

cp -a "$root/agent/target/sandpiper" "$work/"
printf 'FROM scratch\nCOPY sandpiper /opt/sandpiper\n' >"$work/Dockerfile"
image_build -q -t localhost/sandpiper:dist "$work" >/dev/null || fail "the image that is copied from"
mkdir "$work/snippet"
awk '$0 == "```dockerfile" { inside = 1; next } /^```/ && inside { exit } inside' "$root/docs/deploy.md" |
  sed "s|--from=sandpiper|--from=localhost/sandpiper:dist|; s|^FROM .*|FROM ${1:-ubuntu:24.04}|" >"$work/snippet/Dockerfile"
image_build -q -t localhost/sandpiper:snippet "$work/snippet" >/dev/null || fail "the document's Dockerfile does not build"
ok "the document's Dockerfile builds"

port=$(free_port)
start "$container" localhost/sandpiper:snippet "$port"
until_true 60 healthy || { cat "$work/$container.err" >&2; fail "no /health within a minute"; }
call "http://127.0.0.1:$port/init" -d "{\"accessToken\":\"$token\"}" >/dev/null || fail "/init"
agent=$(agent_pid "$container")
beside "$container" grep -q 'sandpiper\.aot' "/proc/$agent/maps" || fail "the AOT cache is not used: were time stamps changed?"
call "http://127.0.0.1:$port/v1/process" -H 'Content-Type: application/json' \
  -d '{"command":"sh","args":["-c","echo I am $(id -un); . /etc/os-release; echo on $PRETTY_NAME"]}' >/dev/null
until_true 20 grep -q '"message":"on ' "$work/$container.out" || fail "no record"
grep -q '"message":"I am ubuntu"' "$work/$container.out" || fail "another user than the document's"
ok "it serves with its AOT cache, $(grep -o '"message":"on [^"]*' "$work/$container.out" | cut -d'"' -f4)"
inside "$container" sh -c "SANDPIPER_PORT=$port /opt/sandpiper/bin/sandpiper-health" || fail "the health check"
# shellcheck disable=SC2016
beside "$container" sh -c 'kill -9 "$1"' sh "$agent" || fail "the agent cannot be killed"
until_true 20 grep -q 'status 137: starting it again' "$work/$container.err" || fail "nobody starts the agent again"
until_true 60 healthy || fail "no /health after a crash"
ok "the health check sees it; it comes back after kill -9"
stop "$container"
code=0
exit_code || code=$?
[ "$code" = 0 ] || fail "stopped, it ends with $code"
ok "SIGTERM ends it with 0"

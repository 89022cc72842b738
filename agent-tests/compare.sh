#!/bin/sh
# Runs the benchmarks' client against a real envd, or any daemon that speaks its API, and Sandpiper, side by side:
#
#   agent-tests/compare.sh ENVD_BINARY [IMAGE]
#   agent-tests/compare.sh 'COMMAND with {port} and {state}' [IMAGE]
#
# IMAGE is the directory of Sandpiper's image; agent/target/sandpiper without it. envd wants root. Besides: ROUNDS=3, TESTS=start,stream
# (all without it), LACKS=attach,files,grpc,native: what the other one does not offer (without it: native, and envd grpc).
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
other=${1:?'usage: compare.sh ENVD_BINARY | COMMAND with {port} [IMAGE]'}
image=$(cd "${2:-$here/../agent/target/sandpiper}" && pwd)

case $other in
*'{port}'*)
  name=other
  lacks=${LACKS-native}
  ;;
*)
  [ -x "$other" ] || { echo "$other is not a program" >&2; exit 2; }
  [ "$(id -u)" -eq 0 ] || echo "envd expects to be root; what it refuses will say FAILED" >&2
  name=envd
  lacks=${LACKS-grpc,native}
  # As outside of its microVM.
  other="$(cd "$(dirname -- "$other")" && pwd)/$(basename -- "$other") -isnotfc -port {port}"
  ;;
esac

command -v go >/dev/null 2>&1 || { echo "needs Go 1.26 or later (https://go.dev/dl)" >&2; exit 1; }
out=$here/target/bench
mkdir -p "$out"
go build -C "$here/src/bench/go" -buildvcs=false -o "$out/bench" .
ulimit -Sn "$(ulimit -Hn)"
exec "$out/bench" -rounds "${ROUNDS:-3}" -tests "${TESTS-}" -json "$out/compare.json" -lacks "$name=$lacks" \
  "$name" "$other" bare "$out/bench bare {port}" \
  sandpiper "$image/bin/sandpiper serve --port {port} --state-dir {state}"

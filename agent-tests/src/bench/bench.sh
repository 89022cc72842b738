#!/bin/sh
# Builds the benchmarks and runs them against an image: bench.sh OUTPUT IMAGE ROUNDS TESTS PAGE WRITE
# TESTS begin with a comma, and none are all; PAGE is rewritten where WRITE is true. The archive beside the image is weighed too, if there is one.
set -eu
out=$1 image=$2 rounds=$3 tests=${4#,} page=$5 write=$6
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

if ! command -v go >/dev/null 2>&1; then
  echo "The benchmarks are a Go program, and no go is on the PATH. Install Go 1.26 or later (https://go.dev/dl)." >&2
  exit 1
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)
go build -C "$here/go" -buildvcs=false -o "$out/bench" .
ulimit -Sn "$(ulimit -Hn)" # a thousand commands, each with a connection
[ "$write" = true ] || page=
# Made by JdkFloor.java; without it start-up and memory have no floor.
jdk=
[ -f "$out/jdk/server.aot" ] && jdk="$out/jdk/runtime/bin/java -XX:AOTCache=$out/jdk/server.aot @$out/jdk/jvm.options -cp $out/jdk/server.jar HealthServer {port}"
exec "$out/bench" -rounds "$rounds" -tests "$tests" -write "$page" -jdk "$jdk" -json "$out/../bench.json" \
  -image "$image" -archive "$(ls "$image"/../sandpiper-*.tar.gz 2>/dev/null | head -n 1)" \
  bare "$out/bench bare {port}" \
  sandpiper "$image/bin/sandpiper serve --port {port} --state-dir {state}"

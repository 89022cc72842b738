#!/bin/sh
# Installs the public Connect conformance suite and copies its proto files: prepare.sh VERSION DIRECTORY
set -eu
version=$1
out=$2
module=connectrpc.com/conformance

if ! command -v go >/dev/null 2>&1; then
  echo "The conformance suite ($module $version) is a Go program, and no go is on the PATH." >&2
  echo "Install Go 1.26 or later (https://go.dev/dl), or build without -Pconformance." >&2
  exit 1
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$out"
if [ ! -x "bin/$version/connectconformance" ]; then
  GOBIN="$out/bin/$version" go install "$module/cmd/connectconformance@$version"
fi
cp -f "bin/$version/connectconformance" bin/connectconformance
source=$(go mod download -json "$module@$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
mkdir -p proto/connectrpc/conformance/v1
for file in config service server_compat; do
  cp -f "$source/proto/connectrpc/conformance/v1/$file.proto" proto/connectrpc/conformance/v1/
done
chmod -R u+w proto

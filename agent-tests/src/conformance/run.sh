#!/bin/sh
# Runs the installed suite against a server and counts its cases: run.sh DIRECTORY CONFIGURATION CASES SERVER...
# There is no list of known failures; fewer cases than expected fail too, so that none is left out unnoticed.
set -u
out=$1
configuration=$2
cases=$3
shift 3

began=$(date +%s)
# One server at a time: they share the processors with the suite's client.
{
  "$out/bin/connectconformance" --conf "$configuration" --mode server --max-servers 1 -- "$@"
  echo $? >"$out/status"
} 2>&1 | tee "$out/run.log"
status=$(cat "$out/status")
echo "The conformance suite took $(($(date +%s) - began)) s."

if [ "$status" -ne 0 ]; then
  exit "$status"
fi
if ! grep -qx "$cases passed, 0 failed" "$out/run.log"; then
  echo "The suite was to run and pass $cases cases; did its version or $configuration change?" >&2
  exit 1
fi

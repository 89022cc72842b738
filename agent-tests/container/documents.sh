#!/bin/sh
# Checks what docs/deploy.md shows: the Kubernetes manifest (by the API's own Go types, and by kubeconform where it is installed
# and finds its schemas) and the systemd unit (systemd-analyze verify). Nothing is deployed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/lib.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The blocks of the document in that language.
blocks() {
  awk -v "begin=\`\`\`$1" '$0 == begin { inside = 1; next } /^```/ { inside = 0 } inside' "$root/docs/deploy.md"
}

done=
blocks yaml >"$work/manifest.yaml"
if command -v go >/dev/null; then
  (cd "$here/manifest" && go run .) <"$work/manifest.yaml" || fail "the Kubernetes manifest"
  done=1
fi
if command -v kubeconform >/dev/null; then
  kubeconform -strict -summary "$work/manifest.yaml" || fail "the Kubernetes manifest, says kubeconform"
  done=1
fi
if command -v systemd-analyze >/dev/null; then
  blocks ini | sed "s|/opt/sandpiper/|$root/agent/target/sandpiper/|" >"$work/sandpiper.service"
  systemd-analyze verify "$work/sandpiper.service" >"$work/said" 2>&1 || { cat "$work/said" >&2; fail "the systemd unit"; }
  # Not an error for it, but for us: names that it does not know.
  if grep -i sandpiper.service "$work/said"; then fail "the systemd unit"; fi
  ok "the systemd unit"
  done=1
fi
[ -n "$done" ] || skip "neither go, nor kubeconform, nor systemd-analyze is on this machine"

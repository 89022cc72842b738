#!/bin/sh
# Makes base images for check.sh where no registry is at hand, from Debian's own packages and this machine's JDK and Maven:
#
#   bases.sh build    localhost/sandpiper-base:build: Maven, JAVA_HOME (a JDK 25) and ~/.m2, to build without a network
#   bases.sh SUITE    localhost/sandpiper-base:SUITE: Debian's bullseye, bookworm, trixie, …, with tini; or Ubuntu's noble,
#                     jammy, …, with the account `ubuntu` that its images have, and without tini
#
# Needs root, debootstrap, and podman or buildah. MIRROR is another mirror than the one debootstrap takes by itself, which
# Ubuntu needs on Debian; DEBOOTSTRAP_ARGS more options of it, such as `--keyring FILE`; SCRIPT its script for a release that it
# does not know: every Ubuntu's is `gutsy`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
[ "$(id -u)" = 0 ] || skip "debootstrap needs root"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
find_engine

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kind=${1:?build, or the name of a Debian release}
home=/root

case $kind in
  build) suite=bookworm include=ca-certificates,procps ;;
  *) suite=$kind include=tini ;;
esac
# A mirror that is reached by TLS is asked by apt within the base, too.
case ${MIRROR-} in
  *ubuntu*) include=ca-certificates ;;
esac
# shellcheck disable=SC2086
debootstrap --variant=minbase --include="$include" ${DEBOOTSTRAP_ARGS-} "$suite" "$work/tree" \
  ${MIRROR:+"$MIRROR"} ${SCRIPT:+"/usr/share/debootstrap/scripts/$SCRIPT"} >"$work/log" 2>&1 ||
  { tail "$work/log" >&2; fail "debootstrap $suite"; }
case ${MIRROR-} in
  *ubuntu*)
    chroot "$work/tree" useradd --create-home --user-group --uid 1000 --shell /bin/bash ubuntu
    echo "deb $MIRROR $suite main universe" >"$work/tree/etc/apt/sources.list" # where tini is
    ;;
esac

if [ "$kind" = build ]; then
  java=${JAVA_HOME:?a JDK 25}
  maven=$(cd -P "$(dirname "$(readlink -f "$(command -v mvn)")")/.." && pwd)
  mkdir -p "$work/tree/opt" "$work/tree$home/.m2"
  cp -rL "$java" "$work/tree/opt/jdk" # a package's JDK has links to files elsewhere, such as its certificates
  cp -rL "$maven" "$work/tree/opt/maven"
  cp -a "$HOME/.m2/repository" "$work/tree$home/.m2/"
  # A cached list of the JDKs of this machine would be that of another one there.
  printf '%s\n' '#!/bin/sh' 'export JAVA_HOME=/opt/jdk' 'exec /opt/maven/bin/mvn "$@"' >"$work/tree/usr/bin/mvn"
  chmod 755 "$work/tree/usr/bin/mvn"
fi
printf 'FROM scratch\nADD root.tar /\n' >"$work/Dockerfile"
tar -C "$work/tree" --exclude='./var/cache/apt/archives/*.deb' --exclude='./var/lib/apt/lists/*' -cf "$work/root.tar" .
rm -rf "$work/tree"
image_build -q -t "localhost/sandpiper-base:$kind" "$work" >/dev/null
ok "localhost/sandpiper-base:$kind"

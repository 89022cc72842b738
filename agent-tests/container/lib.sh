# Shared by the scripts beside it: finds an engine, and hides the differences between docker, podman and buildah.
#
#   SANDPIPER_ENGINE        docker, podman or buildah; else the first that works
#   SANDPIPER_ENGINE_ARGS   options of that program itself, such as `--root DIR --storage-driver vfs`
#   SANDPIPER_RUN_ARGS      more options of its `run`, such as `--cgroups disabled`
#   SANDPIPER_CURL          curl, if it is another
#
# Containers share the machine's network here, each with a port of its own, so that no bridge is needed.

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

ok() {
  echo "ok    $*"
}

skip() {
  echo "skipped: $*" >&2
  exit 77
}

find_engine() {
  if [ -z "${SANDPIPER_ENGINE-}" ]; then
    if docker version >/dev/null 2>&1; then
      SANDPIPER_ENGINE=docker
    elif podman version >/dev/null 2>&1; then
      SANDPIPER_ENGINE=podman
    elif buildah version >/dev/null 2>&1; then
      SANDPIPER_ENGINE=buildah
    else
      skip "neither Docker with a running engine, nor podman, nor buildah is on this machine"
    fi
  fi
  case $SANDPIPER_ENGINE in
    # No namespaces and no runtime: what a machine can do that is itself a container.
    buildah) export BUILDAH_ISOLATION=chroot ;;
    podman) export BUILDAH_ISOLATION="${BUILDAH_ISOLATION-chroot}" ;;
  esac
  echo "engine: $SANDPIPER_ENGINE"
}

engine() {
  # shellcheck disable=SC2086
  command "$SANDPIPER_ENGINE" ${SANDPIPER_ENGINE_ARGS-} "$@"
}

image_build() {
  # HEALTHCHECK is a thing of Docker's format.
  case $SANDPIPER_ENGINE in
    docker) engine build "$@" ;;
    *) engine build --format docker "$@" ;;
  esac
}

# A TCP port that is free now.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start NAME IMAGE PORT [OPTION…]: the image's own entry point, in the background; output in $work/NAME.out and .err.
start() {
  name=$1 image=$2 port=$3
  shift 3
  case $SANDPIPER_ENGINE in
    buildah)
      engine from --name "$name" "$image" >/dev/null
      engine run --isolation chroot --env "SANDPIPER_PORT=$port" "$@" "$name" -- \
        /usr/bin/tini -s -- /opt/sandpiper/bin/sandpiper-supervise serve >"$work/$name.out" 2>"$work/$name.err" &
      ;;
    *)
      # shellcheck disable=SC2086
      engine run --name "$name" --network host --env "SANDPIPER_PORT=$port" ${SANDPIPER_RUN_ARGS-} "$@" "$image" \
        >"$work/$name.out" 2>"$work/$name.err" &
      ;;
  esac
  client=$!
}

# inside NAME COMMAND…: within a container that runs, as its user (another one, even root, may not look into the agent).
inside() {
  name=$1
  shift
  case $SANDPIPER_ENGINE in
    buildah) engine run --isolation chroot "$name" -- "$@" ;;
    *) engine exec "$name" "$@" ;;
  esac
}

# beside NAME COMMAND…: with the container's pids. In chroot isolation these are the machine's own.
beside() {
  case $SANDPIPER_ENGINE in
    buildah)
      shift
      "$@"
      ;;
    *) inside "$@" ;;
  esac
}

# Prints the pid of the agent of $port, as processes inside of the container count.
# shellcheck disable=SC2016
agent_pid() {
  beside "$1" sh -c 'for p in /proc/[0-9]*; do
      read -r comm <"$p/comm" || continue
      [ "$comm" = java ] && tr "\0" "\n" <"$p/environ" | grep -qx "SANDPIPER_PORT=$1" && echo "${p#/proc/}"
    done 2>/dev/null; true' sh "$port"
}

stop() {
  case $SANDPIPER_ENGINE in
    buildah)
      # There is no engine that knows the container; what it would do is to signal its first process.
      beside "$1" sh -c 'for p in /proc/[0-9]*; do
          read -r comm <"$p/comm" || continue
          [ "$comm" = tini ] && tr "\0" "\n" <"$p/environ" | grep -qx "SANDPIPER_PORT=$1" && kill -TERM "${p#/proc/}"
        done 2>/dev/null; true' sh "$port"
      ;;
    *) engine stop --time 20 "$1" >/dev/null ;;
  esac
}

# The exit code of the container that `start` began.
exit_code() {
  wait "$client"
}

discard() {
  case $SANDPIPER_ENGINE in
    buildah) engine rm "$1" >/dev/null 2>&1 || true ;;
    *) engine rm --force "$1" >/dev/null 2>&1 || true ;;
  esac
}

# until_true SECONDS COMMAND…
until_true() {
  tries=$(($1 * 10))
  shift
  while ! "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.1
  done
}

call() {
  ${SANDPIPER_CURL:-curl} -sS --max-time 20 -H "X-Access-Token: $token" "$@"
}

healthy() {
  [ "$(${SANDPIPER_CURL:-curl} -s -o /dev/null -w '%{http_code}' --max-time 5 "http://127.0.0.1:$port/health")" = 204 ]
}

# A member of the JSON object on standard input; fails if it is not there.
member() {
  python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

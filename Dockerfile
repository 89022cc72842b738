#   docker build -t sandpiper .                         a container that runs the agent
#   docker build --target dist -t sandpiper-dist .      only the files: COPY --from=sandpiper-dist /opt/sandpiper /opt/sandpiper
#
# How to use both, on Kubernetes too: docs/deploy.md.

# A JDK 25 with Maven, to build with; a Debian or Ubuntu for tini; any glibc image, to run on.
ARG BUILD_IMAGE=maven:3-eclipse-temurin-25
ARG TINI_IMAGE=debian:stable-slim
ARG RUN_IMAGE=debian:stable-slim

FROM ${BUILD_IMAGE} AS build
# More options for Maven: `-o` where the build image brings all it needs, `-s FILE` for a mirror.
ARG MAVEN_OPTIONS=
WORKDIR /src
COPY . .
RUN mvn --batch-mode --no-transfer-progress -q ${MAVEN_OPTIONS} -DskipTests package

# What other images copy the agent from. The time stamps of its files belong to it: the AOT cache is bound to that of the jar.
FROM scratch AS dist
COPY --from=build /src/agent/target/sandpiper /opt/sandpiper

# Linked statically, so that it runs on every base.
FROM ${TINI_IMAGE} AS tini
RUN [ -x /usr/bin/tini-static ] \
 || { apt-get update && apt-get install --yes --no-install-recommends tini && rm -rf /var/lib/apt/lists/*; }

FROM ${RUN_IMAGE} AS run
ARG VERSION=0.1.0
ARG REVISION=
ARG RUN_UID=1000
LABEL org.opencontainers.image.title="Sandpiper" \
      org.opencontainers.image.description="The agent inside a sandbox: starts commands, streams what they print, and loses none of it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The account is named `user`, as E2B's clients expect; one that has the uid already, as in Ubuntu's image, is renamed.
RUN old=$(getent passwd "${RUN_UID}" | cut -d: -f1) \
 && if [ -n "$old" ]; then usermod --login user --home /home/user --move-home "$old"; \
    else useradd --create-home --user-group --uid "${RUN_UID}" --shell /bin/sh user; fi \
 && install -d -m 0700 -o "${RUN_UID}" /var/lib/sandpiper \
 && ln -s /opt/sandpiper/bin/sandpiper /usr/local/bin/sandpiper
COPY --from=tini /usr/bin/tini-static /usr/bin/tini
COPY --from=dist /opt/sandpiper /opt/sandpiper

# A number, so that Kubernetes sees that it is not root. Other users' commands need root: `docker run --user root`.
USER ${RUN_UID}
# Within a container the loopback is out of reach. Everything but health checks is refused until the first POST /init has
# set an access token (docs/access.md); a token that is given at the start (SANDPIPER_ACCESS_TOKEN_FILE,
# SANDPIPER_ACCESS_TOKEN) is used instead, and SANDPIPER_INIT_SECRET guards that first /init.
ENV SANDPIPER_LISTEN=0.0.0.0 \
    SANDPIPER_AWAIT_INIT=true \
    SANDPIPER_STATE_DIR=/var/lib/sandpiper
EXPOSE 49983
# Commands get SIGTERM and SANDPIPER_STOP_GRACE (5 s), then SIGKILL; give `docker stop` more time than that.
STOPSIGNAL SIGTERM
# One request by the shell, some milliseconds of CPU time; no Java runtime is started for it.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["/opt/sandpiper/bin/sandpiper-health"]
# tini collects what commands leave behind; the loop starts an agent that crashed again, which takes its commands over.
ENTRYPOINT ["/usr/bin/tini", "--", "/opt/sandpiper/bin/sandpiper-supervise"]
CMD ["serve"]

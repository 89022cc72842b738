# syntax=docker/dockerfile:1
#
#   docker build -t sandpiper .                         a container that runs the agent
#   docker build --target dist -t sandpiper-dist .      only the files: COPY --from=sandpiper-dist /opt/sandpiper /opt/sandpiper

# A JDK 25 with Maven, to build with; any glibc image, to run on.
ARG BUILD_IMAGE=docker.io/library/maven:3-eclipse-temurin-25
ARG RUN_IMAGE=docker.io/library/debian:stable-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
RUN mvn --batch-mode --no-transfer-progress -q -DskipTests package

# What other images copy the agent from.
FROM scratch AS dist
COPY --from=build /src/agent/target/sandpiper /opt/sandpiper

FROM ${RUN_IMAGE} AS run
COPY --from=dist /opt/sandpiper /opt/sandpiper
RUN ln -s /opt/sandpiper/bin/sandpiper /usr/local/bin/sandpiper \
 && useradd --create-home --uid 1000 user \
 && install -d -m 0700 -o user /var/lib/sandpiper
# Another user's commands need root: `docker run --user root`.
USER user
# Within a container the loopback is out of reach. Everything but health checks is refused until the first POST /init has
# set an access token (docs/access.md); a token that is given at the start (SANDPIPER_ACCESS_TOKEN_FILE,
# SANDPIPER_ACCESS_TOKEN) is used instead, and SANDPIPER_INIT_SECRET guards that first /init.
ENV SANDPIPER_LISTEN=0.0.0.0 \
    SANDPIPER_AWAIT_INIT=true \
    SANDPIPER_STATE_DIR=/var/lib/sandpiper
EXPOSE 49983
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/sandpiper/bin/sandpiper"]
CMD ["serve"]

.PHONY: all fmt image run proof bench
MVN ?= mvn
IMAGE = agent/target/sandpiper/bin/sandpiper

all:    ; $(MVN) verify
fmt:    ; $(MVN) -q -N -Pfmt validate
image:  ; $(MVN) -q -DskipTests package
run:    image ; $(IMAGE) serve
proof:  ; $(MVN) -Pproof verify
bench:  ; $(MVN) -pl agent-tests -am -Pbench verify

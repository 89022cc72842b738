.PHONY: all fmt image run proof conformance bench
MVN ?= mvn
IMAGE = agent/target/sandpiper/bin/sandpiper

all:    ; $(MVN) verify
fmt:    ; $(MVN) -q -N -Pfmt validate
image:  ; $(MVN) -q -DskipTests package
run:    image ; $(IMAGE) serve
proof:  ; $(MVN) -Pproof verify
conformance: ; $(MVN) -pl agent-tests -am -Pit,conformance -DskipITs verify
bench:  ; $(MVN) -pl agent-tests -am -Pbench verify

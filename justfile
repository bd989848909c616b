# The commands of a working day. `just` alone lists them; nothing here is more than a line of cargo.

# What must hold before a change lands.
ci:
    bash .ci/run

# Formats everything.
fmt:
    cargo fmt --all

# Every lint is an error.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# All tests, or those whose names hold a word.
test *words:
    cargo test --workspace --locked -- {{words}}

# Live books in your browser, without network.
demo *options:
    cargo run --release --locked -- demo {{options}}

# Seeded random and mutated bytes into every reader of outside input, on the stable toolchain.
fuzz bytes="10000000":
    FANTAIL_FUZZ_BYTES={{bytes}} cargo test --locked -p fantail-wire -p fantail-ingest

# One coverage-guided target, with a nightly toolchain and cargo-fuzz: just fuzz-target frames
fuzz-target target seconds="60":
    cd fuzz && cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}}

# Proves the judge of the recording tests by planted mistakes.
oracle:
    python3 -B tests/oracle/selftest.py

# Licences, bans, advisories and sources of all dependencies (needs cargo-deny).
deny:
    cargo deny check

# The bus and several nodes against a real Apache Kafka: KRaft brokers on loopback (java 17 and mvn, no Docker)
test-kafka:
    #!/usr/bin/env bash
    set -euo pipefail
    trap 'tests/kafka/broker.sh stop' EXIT
    tests/kafka/broker.sh start 3
    export FANTAIL_KAFKA=$(tests/kafka/broker.sh brokers) FANTAIL_REQUIRE=kafka
    cargo test --locked -p fantail-bus --lib kafka -- --nocapture --test-threads=1
    tests/kafka/broker.sh start 1
    export FANTAIL_KAFKA=$(tests/kafka/broker.sh brokers)
    cargo test --locked -p fantail-tests --test end_to_end nodes -- --nocapture --test-threads=1
    cargo test --locked -p fantail-gateway --lib tail::tests::kafka -- --nocapture --test-threads=1

# docker-compose.yml, deploy/ and k8s/ against each tool's own parser; no Docker, no cluster
validate-deploy:
    deploy/validate.sh

# A whole deployment on loopback until Ctrl-C: three brokers, two ingest workers, three gateways.
cluster *options:
    cargo build --release --locked -p fantail-node -p fantail-checker
    target/release/fantail-chaos cluster {{options}}

# The same under a seeded nemesis, with recording clients and a judge: just chaos --seed 7 --faults 50
chaos *options:
    cargo build --release --locked -p fantail-node -p fantail-checker
    target/release/fantail-chaos run {{options}}

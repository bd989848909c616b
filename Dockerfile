# One image for every role: `fantail run --role ingest`, `--role gateway`, `fantail topics create`.
#
#   docker build -t fantail .
#   docker build -t fantail --build-arg FEATURES= .     # without TLS towards Kafka: builds faster

FROM rust:1.95-bookworm AS build
# TLS and SCRAM towards Kafka. Compiles OpenSSL, which takes minutes, once.
ARG FEATURES=fantail-bus/kafka-ssl
# Told in fantail_build_info.
ARG COMMIT=unknown
ENV FANTAIL_COMMIT=${COMMIT}
# The image's own toolchain: rust-toolchain.toml also names what only developers need.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
# The caches live outside the layers; so must what is kept of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p fantail-node --features "${FEATURES}" \
    && objcopy --strip-debug target/release/fantail /fantail

FROM debian:bookworm-slim
# Roots of trust for the venues' TLS; nothing else is needed beyond libc.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin fantail
COPY --from=build /fantail /usr/local/bin/fantail
USER 10001:10001
# Nothing is ever written: run it with a read-only root.
WORKDIR /etc/fantail
EXPOSE 8080 8081
# SIGTERM drains; see gateway.drain for how long.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/fantail"]
CMD ["run"]

# The build step is that of docs/PERFORMANCE.md: the profile for packages.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /exdav
COPY Cargo.toml Cargo.lock ./
COPY src ./src
RUN cargo build --profile dist --locked
COPY packaging ./packaging
RUN packaging/rootfs target/dist/exdav /rootfs

# No shell, no package manager; runs as an ordinary user.
FROM scratch
COPY --from=build /rootfs /
COPY --from=build --chown=65532:65532 /rootfs/var/lib/exdav /var/lib/exdav
USER 65532:65532
VOLUME /var/lib/exdav
EXPOSE 8008
ENV EXDAV_SERVER_LISTEN=0.0.0.0:8008 EXDAV_STORE_PATH=/var/lib/exdav
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["/usr/local/bin/exdav", "health", "http://127.0.0.1:8008/healthz"]
ENTRYPOINT ["/usr/local/bin/exdav"]
CMD ["serve", "--config", "/etc/exdav/exdav.toml"]

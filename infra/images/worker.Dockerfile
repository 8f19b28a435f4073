# The worker: `orders worker run`, and every other `orders` command.
#
#   docker buildx build --file infra/images/worker.Dockerfile --platform linux/arm64 --tag orders-worker .
#
# The first stage runs on the machine that builds and fetches wheels for the platform that is built for; the second
# only copies. So an image for another processor needs no emulation.
#
# The base is pinned by version, for its digest cannot be known without the registry. To pin it for good:
#   docker buildx imagetools inspect python:3.13.14-slim-trixie --format '{{.Manifest.Digest}}'
# and append @sha256:... to both FROM lines.
FROM --platform=$BUILDPLATFORM python:3.13.14-slim-trixie AS build
ARG TARGETARCH
SHELL ["/bin/sh", "-euc"]
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# Libraries first, into a layer of their own: they are four fifths of the image and change seldom, so a release is pushed,
# kept and fetched without them. Wheels only, each by its hash: nothing is built, nothing is resolved. Bytecode is made
# here, for nothing can be written later; what a download made private must be readable by the user below.
COPY infra/images/packaging.lock worker/requirements.lock ./
RUN case "$TARGETARCH" in arm64) machine=aarch64 ;; amd64) machine=x86_64 ;; *) exit 64 ;; esac; \
    python -m pip install --quiet --no-compile --require-hashes --no-deps --only-binary :all: \
        --target packaging --requirement packaging.lock; \
    python -m pip install --quiet --no-compile --require-hashes --no-deps --only-binary :all: \
        --platform "manylinux2014_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux_2_28_$machine" \
        --target /libraries/app/lib --requirement requirements.lock; \
    python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /libraries /libraries/app/lib; \
    chmod -R a+rX,u+w,go-w /libraries

# The program: its package, its command, its settings.
COPY LICENSE README.md pyproject.toml ./
COPY worker/ worker/
RUN PYTHONPATH=packaging python -m pip install --quiet --no-compile --no-deps --no-index --no-build-isolation \
        --target /image/app .
COPY settings.toml /image/app/

# The certificates of RDS: one bundle for every region. Without the network: --build-arg RDS_CA_BUNDLE=infra/images/rds.pem
# The bundle is renewed now and then, so it has no fixed checksum: TLS vouches for it, the line below for its form.
ARG RDS_CA_BUNDLE=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
# ADD, for it takes the address as well as a file of the context.
# hadolint ignore=DL3020
ADD ${RDS_CA_BUNDLE} /image/etc/ssl/rds/global-bundle.pem

# What a download gave must be certificates. What a checkout with a strict umask made private must be readable, too; only
# the store is the user's own.
RUN python -c "import ssl; assert ssl.create_default_context(cafile='/image/etc/ssl/rds/global-bundle.pem').get_ca_certs()"; \
    python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /image /image/app; \
    mkdir -p /image/var/lib/orders; \
    chmod -R a+rX,u+w,go-w /image

FROM python:3.13.14-slim-trixie
LABEL org.opencontainers.image.title="orders-worker" \
      org.opencontainers.image.description="Workflows and activities of the orders, and the orders command" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13.14-slim-trixie"
COPY --from=build /image/etc/ssl/rds/ /etc/ssl/rds/
COPY --from=build /libraries/app/lib/ /app/lib/
COPY --from=build /image/app/ /app/
COPY --from=build --chown=10001:10001 /image/var/lib/orders/ /var/lib/orders/
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app:/app/lib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    ORDERS_ENV=production
WORKDIR /app
USER 10001:10001
# Fargate mounts an undeclared folder as root's own; a declared one as it is here: writable by everybody.
VOLUME ["/tmp"]
STOPSIGNAL SIGTERM
# ECS has its own in the task definition; this one is for docker and compose.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9400/health/live', timeout=4)"]
ENTRYPOINT ["orders"]
CMD ["worker", "run"]

# The functions in a container, served by gunicorn: for those who have no Lambda. Behind a gateway that buffers bodies.
#
#   docker buildx build --file infra/images/functions.Dockerfile --platform linux/arm64 --tag orders-functions .
#
# Two stages and a base as in worker.Dockerfile, for the reasons given there.
FROM --platform=$BUILDPLATFORM python:3.13.14-slim-trixie AS build
ARG TARGETARCH
SHELL ["/bin/sh", "-euc"]
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

COPY infra/images/packaging.lock infra/images/functions.lock ./
RUN case "$TARGETARCH" in arm64) machine=aarch64 ;; amd64) machine=x86_64 ;; *) exit 64 ;; esac; \
    python -m pip install --quiet --no-compile --require-hashes --no-deps --only-binary :all: \
        --target packaging --requirement packaging.lock; \
    python -m pip install --quiet --no-compile --require-hashes --no-deps --only-binary :all: \
        --platform "manylinux2014_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux_2_28_$machine" \
        --target /libraries/app/lib --requirement functions.lock; \
    python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /libraries /libraries/app/lib; \
    chmod -R a+rX,u+w,go-w /libraries

# The functions, and of the worker the published language alone: no rules, no database, no `orders` command.
COPY LICENSE README.md pyproject.toml ./
COPY functions/ functions/
COPY worker/__init__.py worker/
COPY worker/contract/ worker/contract/
RUN PYTHONPATH=packaging python -m pip install --quiet --no-compile --no-deps --no-index --no-build-isolation \
        --target /image/app .; \
    rm -r /image/app/bin
COPY settings.toml /image/app/
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /image /image/app; \
    chmod -R a+rX,u+w,go-w /image

FROM python:3.13.14-slim-trixie
LABEL org.opencontainers.image.title="orders-functions" \
      org.opencontainers.image.description="The HTTP edge of the orders: verify, translate, start a workflow, answer" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13.14-slim-trixie"
COPY --from=build /libraries/app/lib/ /app/lib/
COPY --from=build /image/app/ /app/
ENV PATH=/app/lib/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app:/app/lib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    ORDERS_ENV=production \
    GUNICORN_BIND=0.0.0.0:8080
WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health/live', timeout=4)"]
# gunicorn's processes tell each other that they live through a file: in memory, for nothing else can be written.
ENTRYPOINT ["gunicorn", "--config", "functions/gunicorn.conf.py", "--worker-tmp-dir", "/dev/shm", "functions.app:create_app()"]

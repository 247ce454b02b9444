# One image for every process of gitmart. Builds alike with docker, podman and buildah.
#   docker build -t gitmart --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .
ARG BASE_IMAGE=python:3.13-slim-bookworm

# The dependencies have a layer of their own: they weigh most and change seldom.
FROM ${BASE_IMAGE} AS dependencies
# Folders named tests are left out, but for dbt's own macros: one of theirs is named so too. So are the Kubernetes
# client's classes of an API group each, imported when they are named: the operator asks by paths (75 MB).
# UNCHECKED_HASH: bytecode that stays valid whatever a builder does to the times of files.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_NO_CACHE=1 UV_SYSTEM_CERTS=1 \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH
COPY requirements/uv.txt requirements/runtime.txt /src/requirements/
RUN python3 -m pip install --quiet --no-cache-dir --require-hashes --target /opt/uv -r /src/requirements/uv.txt \
    && /opt/uv/bin/uv venv --quiet --python python3 /opt/gitmart \
    && /opt/uv/bin/uv pip sync --quiet --python /opt/gitmart/bin/python --require-hashes --only-binary :all: \
        --compile-bytecode /src/requirements/runtime.txt \
    && find /opt/gitmart -path '*/dbt/include' -prune -o -type d -name tests -prune -exec rm -rf {} + \
    && find /opt/gitmart -path '*/kubernetes/*client/api/*_api.*' -delete

# gitmart itself; /package holds its files alone, where they belong in the environment.
FROM dependencies AS package
COPY requirements/dev.txt /src/requirements/
COPY pyproject.toml README.md LICENSE /src/
COPY dbt /src/dbt
COPY operator /src/operator
RUN /opt/uv/bin/uv build --quiet --wheel --python /opt/gitmart/bin/python --out-dir /dist \
        --build-constraints /src/requirements/dev.txt --require-hashes /src \
    && /opt/uv/bin/uv pip install --quiet --python /opt/gitmart/bin/python --no-deps --no-index \
        --compile-bytecode /dist/*.whl \
    && mkdir /package && cd /opt/gitmart \
    && cp -a --parents bin/gitmart lib/python3*/site-packages/gitmart lib/python3*/site-packages/gitmart-*.dist-info \
        /package

FROM ${BASE_IMAGE}
RUN packages="git openssh-client" \
    && { test -s /etc/ssl/certs/ca-certificates.crt || packages="$packages ca-certificates"; } \
    && apt-get update && apt-get install -y --no-install-recommends $packages \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/apt /var/log/*.log \
        /usr/share/doc /usr/share/man /usr/share/locale \
    && groupadd --gid 10001 gitmart \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin gitmart
# An image of Python may come without bytecode of its standard library, and a read-only root never gets it.
RUN python3 -m compileall -q -x '/(test|tests|lib2to3|idlelib|tkinter|turtledemo|site-packages|dist-packages)/' \
        --invalidation-mode unchecked-hash "$(python3 -c 'import os; print(os.path.dirname(os.__file__))')"
COPY --from=dependencies /opt/gitmart /opt/gitmart
COPY --from=package /package /opt/gitmart
ENV PATH=/opt/gitmart/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["gitmart"]
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="gitmart" \
      org.opencontainers.image.description="Git histories as tested analytics in PostgreSQL, run the Kubernetes way." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

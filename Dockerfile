# zeroshelf's service: one catalog over HTTP, with its page.
#
#   docker build --tag zeroshelf .
#   docker run --rm --volume zeroshelf:/data zeroshelf zeroshelf keys add page --scope read
#   docker run --publish 127.0.0.1:8080:8080 --volume zeroshelf:/data zeroshelf
#
# /data holds catalogs and the default database. Where others can reach the service, it wants a key
# (the second line). A catalog is filled by the same image: docker run ... zeroshelf zeroshelf ingest.
FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY indexer indexer
COPY queries queries
# torch without CUDA: the image is some GB smaller. A GPU wants another index and base image.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/zeroshelf \
    && /opt/zeroshelf/bin/pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" '.[serve]'

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 zeroshelf && install --directory --owner=zeroshelf /data
COPY --from=build /opt/zeroshelf /opt/zeroshelf
ENV PATH=/opt/zeroshelf/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/data/huggingface \
    XDG_CACHE_HOME=/tmp/cache \
    ZEROSHELF_DATA_DIR=/data \
    ZEROSHELF_SERVE_HOST=0.0.0.0
USER zeroshelf
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["zeroshelf", "serve"]

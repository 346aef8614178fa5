# datagen in an image of its own: `docker build -t datagen . && docker run --rm datagen run storefront --limit 5`.
FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY sim sim
COPY sinks sinks
COPY scenarios scenarios
# What checks data and draws reports is left out: it would double the image of a tool that streams.
RUN python -m venv /opt/datagen && /opt/datagen/bin/pip install --no-cache-dir ".[avro,fast,metrics,protobuf,registry]"

FROM python:3.12-slim
COPY --from=build /opt/datagen /opt/datagen
ENV PATH=/opt/datagen/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --uid 10001 --create-home datagen
USER 10001
WORKDIR /home/datagen
ENTRYPOINT ["datagen"]
CMD ["--help"]

# Stage 1 resolves and installs; stage 2 carries the result, without compilers, uv or a cache.
FROM python:3.12-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir uv
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
# Dependencies first: a change of our code does not install them again.
RUN uv venv /opt/dday && VIRTUAL_ENV=/opt/dday uv pip install --requirements pyproject.toml
COPY feeds ./feeds
COPY seeds ./seeds
COPY service ./service
RUN VIRTUAL_ENV=/opt/dday uv pip install --no-deps .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin dday \
    && install -d -o dday -g dday -m 0700 /data
COPY --from=build /opt/dday /opt/dday
ENV PATH=/opt/dday/bin:$PATH PYTHONUNBUFFERED=1 \
    DDAY_HOST=0.0.0.0 DDAY_DATABASE_URL=sqlite:////data/dday.db
USER dday
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('DDAY_PORT', '8000')}/healthz\", timeout=2)"]
# The process answers SIGTERM itself: it drains for up to 20 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["dday"]
CMD ["serve"]

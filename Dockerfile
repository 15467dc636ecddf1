# The CPU default in a container. Not built by the project's own checks, which run without a container engine.
# Charts run in namespaces of their own: start it with --security-opt seccomp=unconfined --cap-add SYS_ADMIN, or accept a
# weaker sandbox by name (`rrvf doctor` says which).
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends \
        chromium-headless-shell fonts-dejavu fonts-liberation git make util-linux && rm -rf /var/lib/apt/lists/*
WORKDIR /rrvf
COPY . .
RUN make assets
CMD ["make", "reproduce"]

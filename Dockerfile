# Written, not yet built: where it was developed no container could be run.
#
#     docker build -t rrvf .
#     docker run --rm --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN \
#         -v "$PWD/results:/rrvf/results" rrvf
#
# The options let the sandbox make its own namespaces; without them charts are refused until RRVF_ACCEPT_WEAK_SANDBOX
# accepts the weaker isolation by name, and pages are not drawn at all. `rrvf doctor` says what is in force.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends make git chromium-headless-shell fonts-liberation fonts-dejavu \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /rrvf
COPY . .
RUN make assets

CMD ["make", "reproduce"]

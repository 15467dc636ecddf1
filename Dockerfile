# One image. PROFILE=gpu and PROFILE=paper need GPUs, PROFILE=nano does not. Built by podman (11 GB; a change of code takes 9 s) and run on a CPU; not yet on a GPU.
#
#     make image                  (docker, podman or buildah, whichever is there)
#     docker run --rm --gpus all --ipc=host rrvf make reproduce PROFILE=paper
#     docker run --rm rrvf        (PROFILE=nano, on the CPU)
#
# Keep what hours have made outside the container: -v rrvf-data:/rrvf/data -v rrvf-runs:/rrvf/runs
# -v rrvf-hub:/home/rrvf/.cache/huggingface. Keys go in at the start (-e HF_TOKEN), never here.
#
# The sandbox makes its own namespaces. podman's defaults allow that, docker's do not: add there
#     --security-opt seccomp=unconfined --security-opt apparmor=unconfined
# Without them charts are refused until RRVF_ACCEPT_WEAK_SANDBOX accepts the weaker isolation by name, and pages are not
# drawn at all. `rrvf doctor` says what is in force and what is weaker for it.
#
# CUDA comes with the locked wheels, so the base needs none; its driver is the host's (`rrvf doctor --profile paper`).
# Python 3.11 is Debian 12's own. Pin the base by its digest: make image BASE=debian@sha256:...
ARG BASE=debian:12-slim
FROM ${BASE}

# Triton and vLLM compile at run time: gcc and Python's headers. vLLM on a CPU, which a rehearsal runs, needs libnuma.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates chromium-headless-shell fonts-dejavu fonts-liberation g++ gcc libc6-dev libnuma1 make procps \
        python3.11 python3.11-dev python3.11-venv tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 rrvf \
    && mkdir -p /rrvf \
    && chown rrvf:rrvf /rrvf

WORKDIR /rrvf
USER rrvf
# VLLM_USE_FLASHINFER_SAMPLER: see rrvf/served.py.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    VLLM_USE_FLASHINFER_SAMPLER=0 \
    PATH=/rrvf/.venv/bin:$PATH

# What the environments are made of, and the three files that find the browser. The package is installed as a link to this
# folder, so its code may come later.
COPY --chown=rrvf:rrvf requirements*.lock pyproject.toml ./
COPY --chown=rrvf:rrvf reproduce/setup reproduce/setup
COPY --chown=rrvf:rrvf rrvf/__init__.py rrvf/chromium.py rrvf/errors.py rrvf/
RUN touch README.md \
    && bash reproduce/setup/install.sh image \
    && rm -rf /home/rrvf/.cache

# What every run needs is imported once: it is compiled then, and a build that could not run ends here.
RUN .venv/bin/python -c 'import deepspeed; from trl import GRPOTrainer, SFTTrainer; from vllm import LLM' \
    && .venv/bin/python reproduce/setup/assets.py \
    && mkdir -p data runs results /home/rrvf/.cache/huggingface

# The one layer that a change of code makes anew.
COPY --chown=rrvf:rrvf . .

HEALTHCHECK --interval=30m --timeout=3m --start-period=5m CMD ["rrvf", "doctor"]
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["make", "reproduce"]

#!/usr/bin/env bash
# Builds .venv (the project) and .venv-plot (the pinned plotting runtime that the sandbox runs), and finds a Chromium.
#
# A finished part leaves a stamp with the hash of what it was made from, last of all; without it the part is made anew.
# So a second run costs milliseconds, and a killed one leaves nothing that looks finished.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p .cache
exec 9>.cache/setup.lock
flock 9

stamp() { cat "$@" reproduce/setup/install.sh | sha256sum | cut -d' ' -f1; }
fresh() { [ "$(cat "$1/stamp" 2>/dev/null)" = "$2" ]; }
say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

main=$(stamp requirements.lock reproduce/setup/torch-*.lock pyproject.toml reproduce/setup/rrvf_torchvision_cpu.pth)
plot=$(stamp requirements-plot.lock)

need_space() {
    local free
    free=$(df --output=avail -k . | tail -1)
    [ "$free" -gt "$1" ] || fail "$((free / 1024)) MB free here, about $(($1 / 1024)) MB are needed: make room and run it again"
}

install_torch() {
    local add=("$UV" pip install --quiet --python .venv/bin/python --no-deps --require-hashes)
    if ! command -v nvidia-smi >/dev/null; then
        "${add[@]}" "${FIND_LINKS[@]}" -r reproduce/setup/torch-cpu.lock 2>/dev/null && return
        # PyTorch's own index may be out of reach: ask once, briefly.
        UV_HTTP_TIMEOUT=20 UV_HTTP_RETRIES=0 "${add[@]}" --index-url https://download.pytorch.org/whl/cpu \
            -r reproduce/setup/torch-cpu.lock 2>/dev/null && return
        say "no CPU build of torch in reach: taking the registry's CUDA build (larger, also runs without a GPU)"
    fi
    need_space 9000000
    "${add[@]}" -r reproduce/setup/torch-cuda.lock
}

if ! fresh .venv "$main"; then
    source reproduce/setup/uv.sh
    need_space 4000000
    say "building .venv"
    rm -rf .venv
    "$PYTHON" -m venv --without-pip .venv
    install_torch
    "$UV" pip install --quiet --python .venv/bin/python --no-deps --require-hashes -r requirements.lock
    "$UV" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
    echo "$main" > .venv/stamp
fi

if ! fresh .venv-plot "$plot"; then
    source reproduce/setup/uv.sh
    need_space 1000000
    say "building .venv-plot"
    rm -rf .venv-plot
    "$PYTHON" -m venv --without-pip .venv-plot
    "$UV" pip install --quiet --python .venv-plot/bin/python --no-deps --require-hashes -r requirements-plot.lock
    echo "$plot" > .venv-plot/stamp
fi

if ! .venv/bin/python -m rrvf.chromium >/dev/null 2>&1; then
    say "installing a Chromium"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends \
            chromium-headless-shell fonts-liberation fonts-dejavu >/dev/null || true
    else
        .venv/bin/playwright install chromium-headless-shell || true
    fi
    .venv/bin/python -m rrvf.chromium >/dev/null || fail "no Chromium: install one, or name it with RRVF_CHROMIUM=/path"
fi

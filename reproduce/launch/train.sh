#!/usr/bin/env bash
# Train on this machine's GPUs. The judge runs elsewhere (judge.sh) and its URL stands in the profile.
#
#   bash reproduce/launch/train.sh one_gpu gpu chart runs/gpu/train/rrvf_chart
#   bash reproduce/launch/train.sh eight_gpus paper chart runs/paper/train/rrvf_chart
#
# Run again after an interruption: it goes on from the last checkpoint. From these folders `make reproduce PROFILE=gpu` or
# `PROFILE=paper` takes the finished policy.
set -euo pipefail
[[ $# -eq 4 ]] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."
exec .venv/bin/accelerate launch --config_file "$here/$1.yaml" -m rrvf train grpo \
    --profile "$2" --section "$3" --out "$4" --resume

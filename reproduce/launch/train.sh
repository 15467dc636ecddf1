#!/usr/bin/env bash
# Train on this machine's GPUs, by GRPO or SFT, from the repository's root. GRPO's judge (judge.sh) has its URL in the profile.
#
#   bash reproduce/launch/train.sh grpo one_gpu gpu chart runs/gpu/train/rrvf_chart
#   bash reproduce/launch/train.sh grpo eight_gpus paper chart runs/paper/train/rrvf_chart
#   bash reproduce/launch/train.sh sft eight_gpus paper chart runs/paper/train/sft_chart
#
# Missing pictures are built first. After an interruption run it again: it continues from the last checkpoint. The folders above
# are those where `make reproduce PROFILE=gpu` or `PROFILE=paper` looks for finished policies. The second argument is the name of a
# file in this folder, or the path of any accelerate configuration. VENV=FOLDER selects another environment.
#
# On several machines run the same command on each, with a shared file system (checkpoints, pictures), MACHINES=2, MACHINE=0 (then 1)
# and MAIN=HOST:PORT of the first. If one machine fails, all end: start all of them again.
set -euo pipefail
[[ $# -eq 5 && $1 =~ ^(grpo|sft)$ ]] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(dirname "$(readlink -f "$0")")
[[ -f $2 ]] && config=$(readlink -f "$2") || config=$here/$2.yaml
cd "$here/../.."
several=()
if [[ ${MACHINES:-1} -gt 1 ]]; then
    : "${MAIN:?set MAIN=HOST:PORT of the first machine}"
    grep -qiE '^distributed_type: *"?no' "$config" && { echo "train.sh: $2 is for one process: name other settings" >&2; exit 2; }
    each=$(sed -nE 's/^num_processes: *([0-9]+).*/\1/p' "$config")
    several=(--num_machines "$MACHINES" --num_processes $((MACHINES * each)) --machine_rank "${MACHINE:-${SLURM_PROCID:?set MACHINE, the number of this one from 0}}"
        --main_process_ip "${MAIN%:*}" --main_process_port "${MAIN##*:}")
fi
exec "${VENV:-.venv}/bin/accelerate" launch --config_file "$config" "${several[@]}" -m rrvf train "$1" \
    --profile "$3" --section "$4" --out "$5" --resume

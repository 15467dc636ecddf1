#!/usr/bin/env bash
# Train on verl: train.sh NAME SECTION. NAME is a settings file in this folder, SECTION a grpo section of the profile. Start the
# profile's judge first (reproduce/launch/judge.sh).
#
#   bash reproduce/verl/train.sh paper chart          # 8 GPUs
#   bash reproduce/verl/train.sh paper web
#   bash reproduce/verl/train.sh qwen_32b chart       # 2 x 8 GPUs, typed on the first node
#
# PROFILE=FILE selects another profile than `paper`. Its section's numbers (steps, batch, rate, ...) replace those of the settings
# file, and so does the profile's commit of the same model. Words after SECTION replace both: trainer.total_training_steps=5. Missing
# pictures are built first. After an interruption run it again: it continues from the last checkpoint.
# Several nodes must share this folder and be one Ray cluster, started before in this folder with PYTHONPATH=$PWD:
# `.venv-verl/bin/ray start --head` on the first node, `.venv-verl/bin/ray start --address=FIRST:6379` on the others.
# Convert a checkpoint of verl to a policy for `rrvf eval`:
#
#   .venv-verl/bin/python -m verl.model_merger merge --backend fsdp \
#       --local_dir runs/verl/paper-chart/global_step_112/actor --target_dir runs/verl/paper-chart/final
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
[[ $# -ge 2 && -f reproduce/verl/$1.yaml ]] || { sed -n '2,18s/^# \{0,1\}//p' reproduce/verl/train.sh >&2; exit 2; }
name=$1 section=$2 profile=${PROFILE:-paper} python=.venv-verl/bin/python
shift 2
[[ -x $python ]] || { echo "rrvf: no .venv-verl: bash reproduce/setup/install.sh verl" >&2; exit 2; }
export PYTHONPATH=$PWD
run=runs/verl/$name-$section
$python -m reproduce.verl.data --profile "$profile" --section "$section" --settings "$name" --out "$run/pictures.parquet"
mapfile -t numbers <"$run/numbers"
exec $python -m verl.trainer.main_ppo --config-dir reproduce/verl --config-name "$name" "data.train_files=$run/pictures.parquet" \
    "rrvf.profile=$profile" "rrvf.section=$section" "trainer.experiment_name=$name-$section" "hydra.run.dir=$run/hydra" "${numbers[@]}" "$@"

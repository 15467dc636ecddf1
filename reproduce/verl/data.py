"""Writes a profile's pictures as a parquet file for verl, and its numbers as settings. A row has no code.

    .venv-verl/bin/python -m reproduce.verl.data --profile paper --section chart --out runs/verl/paper.parquet

Missing pictures are built first. Rows are in the order of the manifest; verl shuffles them. A picture that is too large
for the context is scaled down, as in training with TRL. The judge reads the original file, whose path is in the row and
must exist on every node. The settings are written beside it to `numbers`, one in a line, for `train.sh`.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from PIL import Image

from rrvf.domains import CHART, domain
from rrvf.errors import UserError
from rrvf.outputs import say
from rrvf.policies.local import load_processor, resolve_model
from rrvf.policies.names import hub_parts
from rrvf.profile import GRPOConfigSection, Profile, load_profile
from rrvf.protocol import load_prompt
from rrvf.records import Sample
from rrvf.references import usable
from rrvf.study import Study
from rrvf.training.pictures import Bound, bound_of

#: verl replaces this text in a prompt by the picture.
PICTURE = "<image>"
#: verl's names of TRL's losses.
LOSSES = {"grpo": "seq-mean-token-mean", "dapo": "token-mean", "dr_grpo": "seq-mean-token-sum-norm"}


def write_parquet(study: Study, config: GRPOConfigSection, out: Path) -> int:
    """Write the pictures of `config` to `out` and return their number. `out` is renamed last, so it is complete."""
    samples = usable(study.pictures(config), study.data)
    style, mode = study.profile.policy.prompts, "tools" if config.max_turns > 1 else "direct"
    prompts = {name: load_prompt(domain(name), mode, style, config.max_turns).text for name in config.domains}
    bound = bound_of(load_processor(study.profile.policy.model), list(prompts.values()), config.max_prompt_tokens)
    rows = [_row(i, s, study.data / s.image, prompts[s.domain], bound) for i, s in enumerate(samples)]
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    pq.write_table(pa.Table.from_pylist(rows), partial)
    partial.rename(out)
    return len(rows)


def settings(config: GRPOConfigSection, seed: int, pictures: int) -> dict[str, str | int | float | bool]:
    """The numbers of a section by verl's names of them. pictures: in the training set.

    UserError for a setting that verl has no counterpart for.
    """
    if config.advantage != "mean" or config.importance_level != "token" or config.loss_type not in LOSSES:
        raise UserError(
            "verl has no `advantage: max`, no `importance_level: sequence` and, of the losses, only "
            f"{', '.join(LOSSES)}: change the section, or train with reproduce/launch/train.sh"
        )
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    return {
        "data.seed": seed,
        "data.train_batch_size": config.prompts_per_step,
        "data.max_prompt_length": config.max_prompt_tokens,
        "data.max_response_length": config.max_completion_tokens,
        f"{actor}.optim.lr": config.learning_rate,
        f"{actor}.optim.lr_warmup_steps": config.warmup_steps,
        f"{actor}.ppo_mini_batch_size": config.prompts_per_step,
        f"{actor}.loss_agg_mode": LOSSES[config.loss_type],
        f"{actor}.use_kl_loss": bool(config.kl),
        f"{actor}.kl_loss_coef": config.kl,
        f"{rollout}.n": config.group_size,
        f"{rollout}.temperature": config.temperature,
        # An epoch of verl leaves out the pictures that do not fill a batch.
        "trainer.total_epochs": math.ceil(config.steps / max(1, pictures // config.prompts_per_step)),
        "trainer.total_training_steps": config.steps,
        "trainer.save_freq": config.save_every,
    }


def model(profile: Profile, file: str) -> dict[str, str]:
    """The setting that gives verl the profile's model, at its commit, where `file` names the same one; else empty.

    Then verl trains the model of its own settings, such as the 32B of `qwen_32b`, and a line says so.
    """
    own = yaml.safe_load(Path(__file__).with_name(f"{file}.yaml").read_text())["actor_rollout_ref"]["model"]["path"]
    if hub_parts(profile.policy.model)[0] == own:
        return {"actor_rollout_ref.model.path": resolve_model(profile.policy.model)}
    say(f"verl trains {own}, as reproduce/verl/{file}.yaml says, and not the profile's {profile.policy.model}")
    return {}


def _row(index: int, sample: Sample, path: Path, prompt: str, bound: Bound | None) -> dict:
    return {
        "data_source": f"rrvf/{sample.split}",
        "ability": sample.domain,
        "prompt": [{"role": "user", "content": PICTURE + prompt}],
        "images": [{"bytes": _png(path, bound)}],
        # Required by verl. The agent loop calculates the reward itself, without a ground truth.
        "reward_model": {"style": "rule", "ground_truth": ""},
        "extra_info": {
            "index": index, "sample_id": sample.id, "domain": sample.domain, "target": str(path.resolve()),
        },
    }  # fmt: skip


def _png(path: Path, bound: Bound | None) -> bytes:
    data = path.read_bytes()
    picture = Image.open(io.BytesIO(data))
    smaller = bound.bounded(picture) if bound else picture
    if smaller is picture:
        return data
    buffer = io.BytesIO()
    smaller.save(buffer, "PNG")
    return buffer.getvalue()


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--section", default=CHART.name)
    parser.add_argument("--settings", default="paper", help="a settings file of this folder, without .yaml")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        study = Study(load_profile(given.profile))
        config = study.section("grpo", given.section)
        settings(config, study.profile.seed, 1)  # refused before anything is built
        with study.judge():  # a judge that does not answer fails here, and not later in a worker on another node
            count = write_parquet(study, config, given.out)
    except UserError as error:
        say(str(error))
        return 2
    numbers = (settings(config, study.profile.seed, count) | model(study.profile, given.settings)).items()
    given.out.with_name("numbers").write_text("".join(f"{name}={value}\n" for name, value in numbers))
    print(f"{count} pictures in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Training with several processes, and settings with which TRL and vLLM would fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from scripted import Model, profile_of
from two_ranks import PAIRS

from rrvf.errors import UserError
from rrvf.profile import load_profile
from rrvf.training.logs import read_log
from rrvf.training.model import lora
from rrvf.training.settings import (
    DDP_TIMEOUT_S,
    accumulation,
    check_sharding,
    sft_batch,
    shared_settings,
    vllm_settings,
)
from rrvf.training.sft import train_sft

HERE = Path(__file__).parent
LAUNCH = HERE.parent / "reproduce/launch"


def two_ranks(policy, out: Path, method: str) -> None:
    """Train in two processes under `out`."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    environment = os.environ | {
        "PYTHONPATH": f"{HERE}:{HERE.parent}",
        "OMP_NUM_THREADS": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    done = subprocess.run(
        [*launch, "--nproc-per-node=2", str(HERE / "two_ranks.py"), str(policy), str(out), method],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    # If the process group started before TRL's settings are read, it would have torch's timeout of 30 minutes.
    assert [float((out / f"timeout-{rank}").read_text()) for rank in range(2)] == [DDP_TIMEOUT_S] * 2


def test_two_ranks_with_uneven_turns_train_one_policy(policy, samples, tmp_path):
    """Rank 0 plays one turn, rank 1 three. Each group is on one rank; the advantages are those of a single process."""
    two_ranks(policy, tmp_path, "grpo")
    (line,) = read_log(tmp_path / "run/log.jsonl")
    assert line["rrvf/turns"] == 2.0 and line["rrvf/tool_calls"] == 1.0
    for rank in range(2):
        best, worst = torch.load(tmp_path / f"advantages-{rank}.pt").tolist()
        assert best == 0 and worst < 0
    before, after = (Model.from_pretrained(p).state_dict() for p in (policy, tmp_path / "run/final"))
    assert any(not torch.equal(before[k], after[k]) for k in before)


def test_two_ranks_see_the_pairs_of_one_process(policy, samples, tmp_path):
    two_ranks(policy, tmp_path, "sft")
    for name, micro_batch in (("alone", None), ("by_one", 1)):
        config = PAIRS.model_copy(update={"micro_batch": micro_batch})
        train_sft(profile_of(policy), config, samples, tmp_path, tmp_path / name)
    runs = [read_log(tmp_path / name / "log.jsonl") for name in ("alone", "by_one", "run")]
    for key in ("loss", "num_tokens", "grad_norm"):
        alone, *others = [[line[key] for line in run] for run in runs]
        assert len(alone) == 2 and others == [pytest.approx(alone, rel=1e-3)] * 2, key


ASKS = """
import sys
from pathlib import Path
from rrvf.profile import load_profile
from rrvf.study import Study
study = Study(load_profile(sys.argv[1]), data=Path(sys.argv[2]))
print(*[sample.id for sample in study.split("train")])
"""
SPLIT = """
name: fresh
policy: {model: nano}
data:
  train: {kind: generated_charts, count: 2, seed: 1000000, pretraining: 1}
"""


def test_of_processes_that_miss_the_same_pictures_one_builds_and_the_others_wait(tmp_path):
    """As with train.sh without an earlier `rrvf data prepare`."""
    (tmp_path / "fresh.yaml").write_text(SPLIT)
    command = [sys.executable, "-c", ASKS, str(tmp_path / "fresh.yaml"), str(tmp_path / "data")]
    environment = os.environ | {"WORLD_SIZE": "2", "PYTHONPATH": str(HERE.parent)}
    ranks = [
        subprocess.Popen(
            command, env=environment | {"RANK": str(rank)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    said = [rank.communicate() for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], said
    assert said[0][0] == said[1][0] and len(said[0][0].split()) == 2
    assert sum("data train: 100%" in errors for _, errors in said) == 1
    assert len([p for p in (tmp_path / "data/.splits").iterdir() if p.is_dir()]) == 1


def test_pairs_that_do_not_divide_between_processes_are_refused():
    config = load_profile("paper").sft["chart"]
    assert sft_batch(config, 8) == (2, 1) and sft_batch(config, 1) == (2, 8)
    with pytest.raises(UserError, match="16 pairs per step do not divide into 3 processes"):
        sft_batch(config, 3)


def test_a_step_that_does_not_divide_between_processes_is_refused():
    config = load_profile("paper").grpo["chart"]
    assert accumulation(config, 8) * 8 * config.micro_batch == config.prompts_per_step * config.group_size
    with pytest.raises(UserError, match="do not divide into 3 processes"):
        accumulation(config, 3)


@pytest.mark.parametrize(("stage", "fsdp"), [(3, False), (0, True)])
def test_sharded_weights_are_refused(stage, fsdp):
    plugin = SimpleNamespace(zero_stage=stage)
    state = SimpleNamespace(deepspeed_plugin=plugin if stage else None)
    trainer = SimpleNamespace(accelerator=SimpleNamespace(state=state), is_fsdp_enabled=fsdp)
    with pytest.raises(UserError, match="ZeRO-2"):
        check_sharding(trainer)


def test_the_configuration_for_eight_gpus_is_not_refused():
    settings = yaml.safe_load((LAUNCH / "eight_gpus.yaml").read_text())
    assert settings["num_processes"] == 8 and settings["deepspeed_config"]["zero_stage"] == 2


def test_vllm_runs_inside_each_process_and_never_writes_a_picture_token(policy):
    settings = vllm_settings(profile_of(policy).grpo["chart"], unwritable=[5, 7])
    assert (settings["vllm_mode"], settings["vllm_tensor_parallel_size"]) == ("colocate", 1)
    assert settings["vllm_enable_sleep_mode"] is False
    assert settings["generation_kwargs"] == {"max_tokens": 400, "logit_bias": {5: -100, 7: -100}}


def test_launch_scripts_say_how_they_are_called():
    for name in ("train.sh", "judge.sh"):
        done = subprocess.run(["bash", LAUNCH / name], capture_output=True, text=True)
        assert done.returncode == 2 and "bash reproduce/launch/" in done.stderr


def test_one_process_does_not_take_several_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES"):
        shared_settings(load_profile("gpu"))


@pytest.mark.parametrize("rank", [4, 64])
def test_adapters_weigh_the_same_at_every_rank(rank):
    given = load_profile("gpu")
    settings = lora(given.model_copy(update={"policy": given.policy.model_copy(update={"lora_rank": rank})}))
    assert settings.lora_alpha / settings.r == 2

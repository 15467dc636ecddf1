"""The parts of reproduce/verl that need no verl: settings, data set and launch. For the rest: `make test-verl`."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from scripted import profile_of

from reproduce.verl.data import model, settings, write_parquet
from rrvf.errors import UserError
from rrvf.plan.models import shape
from rrvf.plan.scaling import engine_gpus
from rrvf.plan.sharded import SHARE, sharded_memory
from rrvf.policies.names import hub_parts
from rrvf.profile import load_profile
from rrvf.records import Sample

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "reproduce" / "verl"


def in_file(name: str) -> dict:
    """One of verl's settings files as a flat mapping, without inherited settings."""
    flat = {}

    def walk(branch, at=""):
        for key, value in branch.items():
            walk(value, f"{at}{key}.") if isinstance(value, dict) else flat.update({at + key: value})

    walk({k: v for k, v in yaml.safe_load((FOLDER / f"{name}.yaml").read_text()).items() if k != "defaults"})
    return flat


def test_verl_trains_with_the_numbers_of_the_papers_profile():
    verl, profile = in_file("paper"), load_profile("paper")
    numbers = settings(profile.grpo[verl["rrvf.section"]], profile.seed, pictures=1800)
    numbers |= {"trainer.total_epochs": 4, "rrvf.profile": profile.name}  # in whole epochs, more than are needed
    numbers |= {"actor_rollout_ref.model.path": hub_parts(profile.policy.model)[0]}
    assert {name: verl.get(name, value) for name, value in numbers.items()} == numbers


@pytest.mark.parametrize(("file", "given"), [("paper", True), ("qwen_32b", False)])
def test_verl_trains_the_profiles_commit_of_the_model_that_its_settings_name(file, given, monkeypatch, capsys):
    monkeypatch.setattr("reproduce.verl.data.resolve_model", lambda name: name)
    profile = load_profile("paper")
    assert model(profile, file) == ({"actor_rollout_ref.model.path": profile.policy.model} if given else {})
    assert ("and not the profile's" in capsys.readouterr().err) is not given


def test_the_numbers_that_verl_gets_are_those_of_the_section():
    web = load_profile("paper").grpo["web"].model_copy(update={"kl": 0.1, "loss_type": "dapo", "steps": 62})
    numbers = settings(web, 3, pictures=1000)
    assert numbers["trainer.total_training_steps"] == 62 and numbers["data.seed"] == 3
    assert numbers["trainer.total_epochs"] == 2  # of 31 whole batches each
    assert settings(web.model_copy(update={"steps": 50}), 3, pictures=100)["trainer.total_epochs"] == 17
    actor = "actor_rollout_ref.actor."
    assert (numbers[actor + "use_kl_loss"], numbers[actor + "kl_loss_coef"]) == (True, 0.1)
    assert numbers[actor + "loss_agg_mode"] == "token-mean"


@pytest.mark.parametrize("change", [{"advantage": "max"}, {"importance_level": "sequence"}, {"loss_type": "luspo"}])
def test_what_verl_cannot_do_is_refused(change):
    with pytest.raises(UserError, match="verl has no"):
        settings(load_profile("paper").grpo["chart"].model_copy(update=change), 0, 1)


def test_the_32b_policy_differs_from_the_papers_setting_in_size_alone():
    assert set(in_file("qwen_32b")) == {
        "actor_rollout_ref.model.path", "actor_rollout_ref.actor.fsdp_config.param_offload",
        "actor_rollout_ref.actor.fsdp_config.optimizer_offload", "actor_rollout_ref.rollout.tensor_model_parallel_size",
        "trainer.experiment_name", "trainer.nnodes",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["paper", "qwen_32b"])
def test_every_setting_fits_the_gpus_that_it_names_by_the_plan_for_it(name):
    verl = in_file("paper") | in_file(name)
    gpus, engine = verl["trainer.nnodes"] * verl["trainer.n_gpus_per_node"], "actor_rollout_ref.rollout."
    size, config = shape(verl["actor_rollout_ref.model.path"]), load_profile("paper").grpo["chart"]
    assert verl["actor_rollout_ref.model.use_fused_kernels"] is True
    assert verl[engine + "gpu_memory_utilization"] == SHARE
    assert "actor_rollout_ref.actor.strategy" not in verl  # verl's default, fsdp; tests/verl_engine.py says why
    together = verl[engine + "tensor_model_parallel_size"]
    assert together == engine_gpus(size.parameters, 80, SHARE)
    assert sharded_memory(size, config, gpus, 80, together).refusal() == ""


@pytest.fixture
def study(policy, tmp_path):
    samples = []
    for i, size in enumerate([(56, 56), (1400, 1400)]):
        Image.new("RGB", size, (i, 10, 10)).save(tmp_path / f"{i}.png")
        fields = dict(split="train", sha256="", phash="", source="test", licence="none", code="secret.py")
        samples.append(Sample(id=f"s/{i}", domain="chart", image=f"{i}.png", **fields))
    profile = profile_of(policy, max_prompt_tokens=400)
    return SimpleNamespace(profile=profile, data=tmp_path, pictures=lambda config: samples)


def test_a_row_holds_prompt_and_picture_and_nothing_that_came_from_code(study, tmp_path):
    assert write_parquet(study, study.profile.grpo["chart"], tmp_path / "out" / "rows.parquet") == 2
    first, second = pq.read_table(tmp_path / "out" / "rows.parquet").to_pylist()
    assert first["images"][0]["bytes"] == (tmp_path / "0.png").read_bytes()
    assert first["prompt"][0]["content"].count("<image>") == 1 and first["reward_model"]["ground_truth"] == ""
    assert first["extra_info"] == {"index": 0, "sample_id": "s/0", "domain": "chart", "target": str(tmp_path / "0.png")}
    assert "secret" not in str(first) + str(second)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["rows.parquet"]


def test_a_picture_without_room_is_made_smaller_for_the_policy_and_stays_for_the_judge(study, tmp_path):
    write_parquet(study, study.profile.grpo["chart"], tmp_path / "rows.parquet")
    row = pq.read_table(tmp_path / "rows.parquet").to_pylist()[1]
    assert Image.open(io.BytesIO(row["images"][0]["bytes"])).width < 1400
    assert Image.open(row["extra_info"]["target"]).width == 1400


@pytest.mark.parametrize("arguments", [[], ["paper"], ["nothing", "chart"]])
def test_a_launch_that_names_nothing_says_how(arguments):
    done = subprocess.run(["bash", FOLDER / "train.sh", *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and "bash reproduce/verl/train.sh paper chart" in done.stderr


def test_the_method_knows_no_engine():
    assert not [p for p in (ROOT / "rrvf").rglob("*.py") if re.search(r"^\s*(import|from) verl\b", p.read_text(), re.M)]


def test_the_second_engine_stays_small():
    assert sum(len(p.read_text().splitlines()) for p in FOLDER.iterdir() if p.is_file()) <= 440

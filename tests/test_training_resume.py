"""A run that is killed or meets a full disk loses no finished work."""

from __future__ import annotations

import errno
import json
import shutil

import pytest
import torch
from scripted import ANSWER, BROKEN, Model, run

from rrvf.errors import UserError
from rrvf.training.checkpoints import kept_weights, last_checkpoint
from rrvf.training.logs import read_log


def test_a_killed_run_resumed_equals_the_uninterrupted_one(policy, samples, tmp_path, script):
    def write(turn, row):
        if turn == script.get("kill"):
            script["kill"] = None
            raise KeyboardInterrupt
        return [ANSWER, BROKEN][(row + turn) % 2]

    script["write"] = write
    whole, _, _ = run(policy, samples, tmp_path, out="whole", steps=4)
    script["turn"] = 0
    for killed_at in (1, 2, 3):
        script["kill"] = killed_at
        with pytest.raises(KeyboardInterrupt):
            run(policy, samples, tmp_path, out="parts", steps=4, resume=killed_at > 1)
    resumed, _, _ = run(policy, samples, tmp_path, out="parts", steps=4, resume=True)
    one, other = (Model.from_pretrained(p).state_dict() for p in (whole, resumed))
    assert all(torch.equal(one[k], other[k]) for k in one)
    assert [x["step"] for x in read_log(tmp_path / "parts/log.jsonl")] == [1, 2, 3, 4]


@pytest.fixture
def trained(policy, samples, tmp_path, tmp_path_factory, script):
    """The final policy of a run of one step. It is trained once for this file, and copied to each test's folder."""
    script["write"] = lambda turn, row: [ANSWER, BROKEN][row % 2]
    kept = tmp_path_factory.getbasetemp() / "one-step"
    if kept.exists():
        shutil.copytree(kept, tmp_path / "run")
    else:
        run(policy, samples, tmp_path)
        shutil.copytree(tmp_path / "run", kept)
    return tmp_path / "run/final"


def test_a_second_run_into_the_same_folder_is_refused(policy, samples, tmp_path, trained):
    with pytest.raises(UserError, match="--resume"):
        run(policy, samples, tmp_path)


def test_a_checkpoint_cut_short_is_not_the_last_one(tmp_path):
    for name in ("checkpoint-5", "checkpoint-10"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-5/trainer_state.json").write_text("{}")
    assert last_checkpoint(tmp_path).name == "checkpoint-5"


def test_the_weights_of_some_steps_stay_and_no_run_goes_on_from_them(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: ANSWER
    run(policy, samples, tmp_path, steps=5, keep_every=2)
    kept = kept_weights(tmp_path / "run", 2)
    assert sorted(p.name for p in (tmp_path / "run").glob("checkpoint-*")) == [f"checkpoint-{n}" for n in (2, 4, 5)]
    assert list(kept) == [2, 4] and not (kept[2] / "trainer_state.json").exists()
    assert Model.from_pretrained(kept[2]) and last_checkpoint(tmp_path / "run").name == "checkpoint-5"


@pytest.fixture
def full_disk(monkeypatch):
    """The disk is full at the second optimiser state, after its weights were written."""
    original, saves = torch.save, []

    def save(what, path, *args, **kwargs):
        if str(path).endswith("optimizer.pt"):
            saves.append(path)
            if len(saves) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        return original(what, path, *args, **kwargs)

    monkeypatch.setattr(torch, "save", save)


def test_the_last_good_checkpoint_survives_a_full_disk(policy, samples, tmp_path, script, full_disk):
    script["write"] = lambda turn, row: [ANSWER, BROKEN][(row + turn) % 2]
    with pytest.raises(UserError, match=r"No space left.*continues from checkpoint-1"):
        run(policy, samples, tmp_path, steps=3)
    assert [p.name for p in (tmp_path / "run").glob("checkpoint*")] == ["checkpoint-1"]
    script["turn"] = 1
    final, _, _ = run(policy, samples, tmp_path, steps=3, resume=True)
    assert (final / "model.safetensors").is_file() and len(read_log(tmp_path / "run/log.jsonl")) == 3


def test_episodes_of_a_resumed_run_are_written_once(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: ANSWER
    run(policy, samples, tmp_path, steps=1)
    _, _, before = run(policy, samples, tmp_path, steps=2, resume=True)
    (tmp_path / "run/final").rename(tmp_path / "elsewhere")
    for name in ("checkpoint-2",):
        (tmp_path / "run" / name).rename(tmp_path / name)
    _, _, after = run(policy, samples, tmp_path, steps=2, resume=True)
    assert len(before) == 8 and [e["sample_id"] for e in after] == [e["sample_id"] for e in before]


def test_a_run_that_goes_on_longer_keeps_the_policy_that_it_had(policy, samples, tmp_path, trained):
    before = (trained / "model.safetensors").read_bytes()
    assert run(policy, samples, tmp_path, steps=2, resume=True)[0] == trained
    assert (tmp_path / "run/final-1/model.safetensors").read_bytes() == before
    assert (trained / "model.safetensors").read_bytes() != before


def test_a_longer_run_that_was_killed_before_it_saved_its_policy_saves_it_now(policy, samples, tmp_path, trained):
    longer = (run(policy, samples, tmp_path, steps=2, resume=True)[0] / "model.safetensors").read_bytes()
    shutil.rmtree(trained)
    (tmp_path / "run/final-1").rename(trained)
    again = run(policy, samples, tmp_path, steps=2, resume=True)[0]
    assert (again / "model.safetensors").read_bytes() == longer


def test_what_only_decides_the_memory_may_change_on_the_way(policy, samples, tmp_path, trained):
    """A run without enough memory can continue with smaller batches."""
    run(policy, samples, tmp_path, steps=2, micro_batch=2, vllm_memory=0.2, resume=True)
    assert [x["step"] for x in read_log(tmp_path / "run/log.jsonl")] == [1, 2]


def test_a_finished_run_is_not_trained_again(policy, samples, tmp_path, trained, monkeypatch):
    monkeypatch.setattr("rrvf.training.grpo.load_policy_model", lambda *_: pytest.fail("weights were loaded"))
    assert run(policy, samples, tmp_path, resume=True)[0] == trained


def test_a_policy_whose_checkpoints_are_gone_is_finished_if_it_was_made_so(policy, samples, tmp_path, trained):
    shutil.rmtree(tmp_path / "run/checkpoint-1")
    before = (trained / "model.safetensors").stat().st_mtime
    assert run(policy, samples, tmp_path, resume=True)[0] == trained
    with pytest.raises(UserError, match="for other steps: move it away"):
        run(policy, samples, tmp_path, steps=2, resume=True)
    assert (trained / "model.safetensors").stat().st_mtime == before


@pytest.mark.parametrize("autocast", [False, True])
def test_lora_resumed_equals_the_uninterrupted_run(policy, samples, tmp_path, script, monkeypatch, autocast):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # restored after the test
    script["write"] = lambda turn, row: [ANSWER, BROKEN][(row + turn) % 2]
    whole, _, _ = run(policy, samples, tmp_path, out="whole", steps=2, lora_rank=2, autocast=autocast)
    script["turn"] = 0
    run(policy, samples, tmp_path, out="parts", steps=1, lora_rank=2, autocast=autocast)
    parts, _, _ = run(policy, samples, tmp_path, out="parts", steps=2, lora_rank=2, autocast=autocast, resume=True)
    start, one, other = (Model.from_pretrained(p).state_dict() for p in (policy, whole, parts))
    assert all(torch.equal(one[k], other[k]) for k in one)
    assert any(not torch.equal(one[k], start[k]) for k in one)


def test_a_run_is_not_continued_on_another_canvas(policy, samples, tmp_path, trained):
    made = tmp_path / "run" / "training.json"
    made.write_text(json.dumps(json.loads(made.read_text()) | {"canvas": {"chart": {"width": 1, "height": 1}}}))
    with pytest.raises(UserError, match="another canvas"):
        run(policy, samples, tmp_path, steps=2, resume=True)


def test_a_run_is_not_continued_as_another_one(policy, samples, tmp_path, trained):
    with pytest.raises(UserError, match=r"learning_rate 0.01 there, 0.5 here"):
        run(policy, samples, tmp_path, steps=2, learning_rate=0.5, resume=True)

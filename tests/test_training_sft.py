"""The SFT baseline and the cold start."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from PIL import Image
from scripted import ANSWER, BROKEN, CALL, Model, profile_of, run

from rrvf.errors import UserError
from rrvf.policies.local import training_processor
from rrvf.profile import PolicyConfig, SFTConfigSection
from rrvf.records import Judgement, Render, Trajectory, Turn
from rrvf.report.episodes import read_trajectories
from rrvf.training.logs import read_log
from rrvf.training.model import trained_dtype
from rrvf.training.sft import SupervisedTrainer, _bounded, pair_dataset, train_sft, transcript_dataset


def test_sft_lowers_the_loss_on_its_pairs(policy, samples, tmp_path):
    profile = profile_of(policy)
    config = SFTConfigSection(domain="chart", train_set="t", steps=6, batch=4, learning_rate=1e-2)
    train_sft(profile, config, samples, tmp_path, tmp_path / "sft")
    losses = [line["loss"] for line in read_log(tmp_path / "sft/log.jsonl")]
    assert losses[-1] < losses[0] - 0.2


def test_small_steps_reach_all_weights_of_a_policy_in_bfloat16(policy, samples, tmp_path, monkeypatch):
    """Updates that bfloat16 would round away add up in float32: in 3 steps of 1e-5 nearly all weights change."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # restored after the test
    given = profile_of(policy)
    profile = given.model_copy(update={"policy": given.policy.model_copy(update={"dtype": "bfloat16"})})
    config = SFTConfigSection(domain="chart", train_set="t", steps=3, batch=4, learning_rate=1e-5)
    final = train_sft(profile, config, samples, tmp_path, tmp_path / "sft")
    before, after = (Model.from_pretrained(path, dtype="auto").state_dict() for path in (policy, final))
    layers = [name for name in before if "layers" in name or "blocks" in name]
    moved = sum(int((before[name] != after[name]).sum()) for name in layers)
    assert moved > 0.9 * sum(before[name].numel() for name in layers)


@pytest.mark.parametrize(("lora_rank", "deepspeed"), [(4, False), (None, True)])
def test_weights_stay_in_bfloat16_where_others_hold_what_moves(policy, monkeypatch, lora_rank, deepspeed):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", str(deepspeed).lower())
    config = PolicyConfig(model=str(policy), dtype="bfloat16", lora_rank=lora_rank)
    assert trained_dtype(config) == "bfloat16"


def test_a_run_that_ended_before_its_policy_was_saved_makes_no_further_step(policy, samples, tmp_path):
    config = SFTConfigSection(domain="chart", train_set="t", steps=2, batch=4, learning_rate=1e-2)
    words = profile_of(policy), config, samples, tmp_path, tmp_path / "sft"
    final = train_sft(*words)
    whole = Model.from_pretrained(final).state_dict()
    shutil.rmtree(final)
    resumed = Model.from_pretrained(train_sft(*words, resume=True)).state_dict()
    assert [line["step"] for line in read_log(tmp_path / "sft/log.jsonl")] == [1, 2]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_picture_is_no_larger_than_in_grpo(policy, samples, tmp_path):
    Image.new("RGB", (2400, 2400)).save(tmp_path / "0.png")
    dataset = _bounded(pair_dataset(samples[:2], tmp_path, "nano"), training_processor(str(policy)))
    large, small = (row["images"][0].size for row in dataset)
    assert 1500 < large[0] < 1900 and small == Image.open(tmp_path / "1.png").size


def test_sharded_weights_are_refused_before_anything_is_trained(policy, samples, tmp_path, monkeypatch):
    def refuse(trainer):
        raise UserError("sharded")

    monkeypatch.setattr("rrvf.training.sft.check_sharding", refuse)
    config = SFTConfigSection(domain="chart", train_set="t", steps=1, batch=1)
    with pytest.raises(UserError, match="sharded"):
        train_sft(profile_of(policy), config, samples, tmp_path, tmp_path / "sft")


def test_sft_says_that_it_needs_code(policy, samples, tmp_path):
    config = SFTConfigSection(domain="chart", train_set="t", steps=1, batch=1)
    bare = [s.model_copy(update={"code": None}) for s in samples]
    with pytest.raises(UserError, match="needs pairs"):
        train_sft(profile_of(policy), config, bare, tmp_path, tmp_path / "sft")


def transcripts(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: [[CALL, ANSWER][turn], BROKEN][row % 2]
    run(policy, samples, tmp_path, out="rrvf")
    return tmp_path / "rrvf/episodes.jsonl"


def test_a_cold_start_learns_every_turn_of_episodes_that_ran(policy, samples, tmp_path, script, monkeypatch):
    path = transcripts(policy, samples, tmp_path, script)
    seen = []
    original = SupervisedTrainer.compute_loss

    def spy(self, model, inputs, **kwargs):
        labels = inputs["labels"]
        seen.extend(self.processing_class.tokenizer.decode(row[row != -100]) for row in labels)
        return original(self, model, inputs, **kwargs)

    monkeypatch.setattr(SupervisedTrainer, "compute_loss", spy)
    config = SFTConfigSection(domain="chart", train_set="t", steps=1, batch=2, transcripts=str(path))
    final = train_sft(profile_of(policy), config, samples, tmp_path, tmp_path / "warm")
    assert set(seen) == {CALL + "<|im_end|>" + ANSWER + "<|im_end|>"}
    assert json.loads((final / "training.json").read_text())["method"] == "cold_start"


def test_a_cold_start_stays_visible_in_what_follows(policy, samples, tmp_path, script):
    path = transcripts(policy, samples, tmp_path, script)
    config = SFTConfigSection(domain="chart", train_set="t", steps=1, batch=2, transcripts=str(path))
    warm = train_sft(profile_of(policy), config, samples, tmp_path, tmp_path / "warm")
    script["turn"] = 0
    final, _, _ = run(warm, samples, tmp_path, out="after")
    made = json.loads((final / "training.json").read_text())
    assert (made["method"], made["start"]["method"]) == ("grpo", "cold_start")


def test_an_episode_that_the_judge_did_not_score_is_not_learned(samples, tmp_path):
    ran, turn = Render(status="ok", png=b""), Turn(text=ANSWER, action="answer", code="a")
    judged = [Judgement(status="ok", score=0.5), Judgement(status="judge_error", reason="timeout")]
    episodes = [
        Trajectory(sample_id=s.id, domain="chart", turns=(turn,), final_code="a", final_render=ran, judgement=j)
        for s, j in zip(samples, judged, strict=False)
    ]
    assert len(transcript_dataset(episodes, samples, tmp_path, "nano")) == 1


def test_transcripts_that_never_ran_are_refused(samples, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"sample_id": "0", "domain": "chart", "turns": [], "final_code": null}\n')
    with pytest.raises(UserError, match="answer that ran"):
        transcript_dataset(read_trajectories(tmp_path / "t.jsonl"), samples, tmp_path, "nano")

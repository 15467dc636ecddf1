"""A training that is stopped twice ends with the same bytes."""

from __future__ import annotations

import pytest
import stopped

from rrvf.judge.child import running_server

PROFILE = """
name: small
policy: {{model: {policy}, prompts: nano, dtype: float32}}
judge: {{url: {judge}}}
canvas:
  chart: {{width: 280, height: 224, dpi: 100, font_size: 8}}
data:
  train: {{kind: generated_charts, count: 2, seed: 1000000, pretraining: 1}}
grpo:
  chart: {{domain: chart, train_set: train, steps: 2, prompts_per_step: 1, group_size: 2, micro_batch: 2, save_every: 1,
    learning_rate: 0.01, max_turns: 2, max_completion_tokens: 2000, max_turn_tokens: 400}}
"""

pytestmark = pytest.mark.timeout(1800)


def test_a_training_stopped_twice_ends_with_the_same_weights(policy, tmp_path):
    with running_server() as judge:
        (tmp_path / "small.yaml").write_text(PROFILE.format(policy=policy, judge=judge))
        run = [str(tmp_path / "data"), "grpo", "--profile", str(tmp_path / "small.yaml"), "--resume", "--out"]
        stopped.preload()
        stopped.check(stopped.train, {name: [*run, str(tmp_path / name)] for name in ("whole", "parts")}, tmp_path)
    whole, parts = ((tmp_path / name / "final/model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    assert whole != (policy / "model.safetensors").read_bytes()

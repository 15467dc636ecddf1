"""reproduce/verl against the real package, without a GPU: `make test-verl`.

Not collected by `make test`: it needs .venv-verl, which `make test-verl` builds. Generation is scripted; verl's worker, data
set, token builder, advantages, losses and merger are real.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from PIL import Image
from scripted import ANSWER, BROKEN, CALL, Judge, Renderer
from torch.nn.utils.rnn import pad_sequence
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    AutoModelForImageTextToText,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLForConditionalGeneration,
)
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLModel
from verl.model_merger import __main__ as model_merger
from verl.models.transformers.monkey_patch import apply_monkey_patch
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage, compute_policy_loss_vanilla
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import omega_conf_to_dataclass, validate_config
from verl.utils.experimental.torch_functional import FusedLinearForPPO
from verl_scripted import build_policy, configuration, play
from verl_trl_side import FAILED, MALFORMED, TURNS, batch, draw_samples

from reproduce.verl import loop
from rrvf.domains import CHART
from rrvf.plan.sharded import PIECE
from rrvf.policies.local import LocalPolicy, load_processor
from rrvf.records import Judgement
from rrvf.reward import RewardRule
from rrvf.rollout import Episode, Tools, run_episode
from rrvf.study import Study

pytestmark = pytest.mark.timeout(3600)  # two more interpreters import torch and verl; long, for busy machines

#: Learning rate of a step of gradient ascent in tests/verl_two_ranks.py.
RATE = 100
#: Turns of one episode each; the pictures use them in order.
SCRIPTS = [
    [ANSWER], [CALL, ANSWER], [FAILED, CALL, ANSWER], [MALFORMED, ANSWER], [CALL, CALL, CALL, ANSWER],
    [CALL, CALL, CALL, CALL], ["I cannot say."], [CALL, BROKEN],
]  # fmt: skip


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return build_policy(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def trl(policy, tmp_path_factory):
    """The results of the project's own trainer on scripted episodes."""
    folder = tmp_path_factory.mktemp("trl")
    subprocess.run([".venv/bin/python", "tests/verl_trl_side.py", policy, folder], check=True)
    return torch.load(folder / "trl.pt", weights_only=False)


def test_sixteen_pictures_give_the_episodes_of_run_episode_token_by_token(policy, tmp_path, monkeypatch):
    samples = draw_samples(tmp_path, 16)
    scripts = {s.id: SCRIPTS[i % len(SCRIPTS)] for i, s in enumerate(samples)}
    stored, trajectories, _ = play(monkeypatch, policy, samples, tmp_path, lambda i, turn: scripts[str(i)][turn])
    tools, tokenizer = Tools({"chart": Renderer()}, Judge()), load_processor(str(policy)).tokenizer
    for sample in samples:
        turns = iter(scripts[sample.id])
        episode = Episode(sample.id, CHART, (tmp_path / sample.image).read_bytes(), tools)
        wanted = run_episode(lambda _, turns=turns: next(turns), "", None, episode)
        (played,) = (t for t in trajectories if t.sample_id == sample.id)
        assert played == wanted
        fields = stored[sample.id, "0"]
        assert fields["rm_scores"].tolist() == [0.0] * (len(fields["responses"]) - 1) + [
            pytest.approx(RewardRule().terms(wanted).total)
        ]
        ids, mask = _tokens(wanted, tokenizer)
        assert (fields["responses"].tolist(), fields["response_mask"].tolist()) == (ids, mask)
    tools.close()


def _tokens(trajectory, tokenizer):
    """The expected response of an episode: the policy's turns with the feedback between them."""
    ids, mask = [], []
    for i, turn in enumerate(trajectory.turns):
        own = tokenizer(f"{turn.text}<|im_end|>", add_special_tokens=False)["input_ids"]
        ids, mask = ids + own, mask + [1] * len(own)
        if i + 1 < len(trajectory.turns):
            said = (
                f"<|im_start|>user\n<tool_response>{turn.feedback}</tool_response><|im_end|>\n<|im_start|>assistant\n"
            )
            told = [x for part in ("\n", said) for x in tokenizer(part, add_special_tokens=False)["input_ids"]]
            ids, mask = ids + told, mask + [0] * len(told)
    return ids, mask


@pytest.mark.parametrize("attach_render", [False, True])
def test_prompt_tokens_masks_and_pixels_are_those_of_training_on_trl(policy, trl, tmp_path, monkeypatch, attach_render):
    settings, samples = dict(attach_render=attach_render, max_prompt_tokens=512), draw_samples(tmp_path, 1)
    stored, _, server = play(monkeypatch, policy, samples, tmp_path, lambda _, turn: TURNS[turn], **settings)
    fields, there = stored["0", "0"], trl["episodes"][attach_render]
    real = there["completion_mask"][0].bool()
    assert fields["prompts"].tolist() == there["prompt_ids"][0][there["prompt_mask"][0].bool()].tolist()
    assert fields["responses"].tolist() == there["completion_ids"][0][real].tolist()
    assert fields["response_mask"].tolist() == there["tool_mask"][0][real].tolist()
    seen = fields["multi_modal_inputs"]
    assert len(server.asked[-1]["pictures"]) == len(seen["image_grid_thw"]) == (4 if attach_render else 1)
    assert seen["image_grid_thw"].tolist() == there["image_grid_thw"][: len(seen["image_grid_thw"])].tolist()
    assert torch.allclose(seen["pixel_values"], there["pixel_values"][: len(seen["pixel_values"])], atol=1e-5)


def test_the_server_is_asked_for_what_the_profile_says(policy, tmp_path, monkeypatch):
    samples = draw_samples(tmp_path, 1)
    _, _, server = play(
        monkeypatch, policy, samples, tmp_path, lambda _, turn: [CALL, ANSWER][turn], max_turn_tokens=300,
        max_completion_tokens=400,
    )  # fmt: skip
    first, second = (asked["sampling"] for asked in server.asked)
    pad = load_processor(str(policy)).tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert first["max_tokens"] == 300 and second["max_tokens"] == 400 + len(server.asked[0]["ids"]) - len(
        server.asked[1]["ids"]
    )
    assert first["logit_bias"][pad] == -100 and first["temperature"] == 1.0


def test_a_response_that_does_not_fit_is_no_turn(policy, tmp_path, monkeypatch):
    samples = draw_samples(tmp_path, 1)
    tokenizer = load_processor(str(policy)).tokenizer
    length = len(tokenizer(CALL)["input_ids"]) + 10
    stored, (trajectory,), _ = play(
        monkeypatch, policy, samples, tmp_path, lambda *_: CALL, max_completion_tokens=length
    )
    assert [(t.action, t.feedback) for t in trajectory.turns] == [("tool_call", None)]
    assert set(stored["0", "0"]["response_mask"].tolist()) == {1}


def test_an_episode_without_a_score_leaves_its_group(policy, tmp_path, monkeypatch):
    class Fails(Judge):
        calls = 0

        def score(self, *_):
            self.calls += 1
            return Judgement(status="judge_error", reason="timeout") if self.calls == 1 else super().score(*_)

    stored, trajectories, _ = play(
        monkeypatch, policy, draw_samples(tmp_path, 1), tmp_path, lambda *_: ANSWER, judge=Fails(), n=3
    )
    assert len(trajectories) == 3 and len(stored) == 2


def test_a_worker_takes_its_share_of_the_profile(monkeypatch):
    shares = []
    monkeypatch.setattr(Study, "tools_of", lambda self, config: nullcontext(shares.append(self.profile)))
    settings, _, rule = loop._workplace("paper", "web", 4)
    assert settings.domain == "web" and rule == RewardRule()
    assert (shares[0].workers, shares[0].judge.max_in_flight) == (4, 16)


def test_advantages_differ_from_trls_by_the_small_number_under_the_line(trl):
    there, groups = trl["mixed"], [0] * 4 + [1] * 4
    totals = (there["rewards"] * torch.tensor([0.2, 0.8, 1.0])).sum(1)
    ours = _verl_advantages(totals, groups)
    spread = totals.view(2, 4).std(dim=1).repeat_interleave(4)
    assert torch.allclose(ours * (spread + 1e-6), there["advantages"] * (spread + 1e-4), atol=1e-5)
    assert 0 < (ours - there["advantages"]).abs().max() < 1e-3


def test_without_a_group_verl_takes_the_reward_itself_as_the_advantage():
    """This is the only episode of its group with a score. TRL gives such an episode no advantage."""
    assert _verl_advantages(torch.tensor([1.3]), [0]).tolist() == [pytest.approx(1.3)]


def _verl_advantages(totals: torch.Tensor, groups: list[int]) -> torch.Tensor:
    at_the_end = torch.zeros(len(totals), 3)
    at_the_end[:, -1] = totals
    return compute_grpo_outcome_advantage(at_the_end, torch.ones(len(totals), 3), np.array(groups))[0][:, 0]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("grpo", "seq-mean-token-mean"), ("dapo", "token-mean"), ("dr_grpo", "seq-mean-token-sum-norm")],
)
def test_the_same_batch_has_the_same_loss(trl, theirs, ours):
    assert _verl_loss(ours) == pytest.approx(trl["losses"][theirs, False], rel=1e-5)


def test_verls_own_default_weighs_long_episodes_more():
    assert _verl_loss("token-mean") != pytest.approx(_verl_loss("seq-mean-token-mean"), rel=1e-2)


def test_an_unlikely_token_of_a_bad_episode_is_bounded_by_verl_alone(trl):
    """verl's dual clip (clip_ratio_c) begins at a ratio of 3. With one step per batch the ratio is 1."""
    assert _verl_loss("token-mean", far=True) < trl["losses"]["dapo", True]


def _verl_loss(how: str, far: bool = False) -> float:
    logps, old, advantages, mask = batch(far)
    actor = omega_conf_to_dataclass(configuration("paper").actor_rollout_ref.actor)
    loss, _ = compute_policy_loss_vanilla(old, logps, advantages[:, None] * mask, mask.bool(), how, actor)
    return float(loss)


@pytest.mark.parametrize("name", ["paper", "qwen_32b"])
def test_verl_takes_the_settings(name):
    config = configuration(name)
    validate_config(config, need_reference_policy(config), need_critic(config))
    assert not need_reference_policy(config) and not need_critic(config)
    omega_conf_to_dataclass(config.actor_rollout_ref.rollout)
    assert config.actor_rollout_ref.actor.loss_agg_mode == "seq-mean-token-mean"


def test_the_forward_that_verl_trains_through_needs_no_flash_attention(policy, tmp_path, monkeypatch):
    """Episodes of two lengths, padded as verl's engine pads them with `use_remove_padding: false`."""
    samples = draw_samples(tmp_path, 2)
    stored, _, _ = play(monkeypatch, policy, samples, tmp_path, lambda i, turn: [CALL, ANSWER][turn] if i else ANSWER)
    rows = [stored["0", "0"], stored["1", "0"]]
    model = AutoModelForImageTextToText.from_pretrained(policy, attn_implementation="sdpa").eval()
    plain = [_logits(model, [row], mm_token_type_ids=_pictures(model, row)) for row in rows]
    for known in (Qwen2_5_VLModel, Qwen2_5_VLForConditionalGeneration, Qwen2VLModel, Qwen2VLForConditionalGeneration):
        monkeypatch.setattr(known, "forward", known.forward)
    apply_monkey_patch(model, use_remove_padding=False)
    places = pad_sequence([row["position_ids"].T for row in rows], batch_first=True).permute(2, 0, 1)
    both = _logits(model, rows, position_ids=places)
    for row, alone, together in zip(rows, plain, both, strict=True):
        assert torch.allclose(together[: len(row["input_ids"])], alone[0], atol=1e-4)


def _pictures(model, row):
    return (row["input_ids"] == model.config.image_token_id).int()[None]


@torch.no_grad()
def _logits(model, rows, **more):
    ids = pad_sequence([row["input_ids"] for row in rows], batch_first=True)
    mask = pad_sequence([torch.ones_like(row["input_ids"]) for row in rows], batch_first=True)
    seen = {k: torch.cat([row["multi_modal_inputs"][k] for row in rows]) for k in ("pixel_values", "image_grid_thw")}
    return model(input_ids=ids, attention_mask=mask, **seen, **more).logits


@pytest.fixture(scope="module")
def ranks(policy, tmp_path_factory):
    """Two ranks of verl's FSDP train the policy on an episode each. Returns episodes, saved folder and their report."""
    folder = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patched:
        samples = draw_samples(folder, 2)
        stored, _, _ = play(patched, policy, samples, folder, lambda i, turn: [CALL, ANSWER][turn] if i else ANSWER)
    rows = [stored["0", "0"], stored["1", "0"]]
    torch.save(rows, folder / "episodes.pt")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = ["tests/verl_two_ranks.py", policy, folder / "episodes.pt", folder / "saved"]
    subprocess.run([*torchrun, *arguments], check=True)
    return rows, folder / "saved", torch.load(folder / "saved" / "told.pt", weights_only=False)


def test_the_fused_head_trains_the_sharded_policy_as_its_whole_logits_would(policy, ranks):
    rows, _, told = ranks
    model = AutoModelForImageTextToText.from_pretrained(policy, attn_implementation="sdpa").eval()
    wanted = []
    for row in rows:
        seen = {name: row["multi_modal_inputs"][name] for name in ("pixel_values", "image_grid_thw")}
        logits = model(input_ids=row["input_ids"][None], mm_token_type_ids=_pictures(model, row), **seen).logits[0, :-1]
        wanted.append(logits.log_softmax(-1).gather(-1, row["input_ids"][1:, None])[:, 0])
    for ours, there in zip(wanted, told["log_probs"], strict=True):
        assert torch.allclose(ours, there, atol=1e-4)
    (sum(each.mean() for each in wanted) / len(wanted)).backward()
    moved = 0.0
    for name, weight in model.named_parameters():
        step = torch.zeros_like(weight) if weight.grad is None else weight.grad
        assert torch.allclose(told["trained"][name] - weight, RATE * step, atol=1e-4), name
        moved = max(moved, float(step.abs().max()))
    assert RATE * moved > 0.01


def test_the_fused_head_never_holds_the_logits_of_an_episode():
    hidden, weight = torch.randn(1, 4 * PIECE, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True)
    with Largest() as seen:
        told, _ = FusedLinearForPPO().forward(hidden, weight, torch.zeros(1, 4 * PIECE, dtype=torch.long))
        told.sum().backward()
    assert seen.rows == PIECE


class Largest(TorchDispatchMode):
    """Stores the largest number of rows of logits (last dimension 50, the vocabulary) that an operation creates."""

    rows = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.ndim > 1 and made.shape[-1] == 50:
            self.rows = max(self.rows, made.numel() // 50)
        return made


def test_fsdp2_cannot_have_the_fused_head(ranks):
    """The reason why reproduce/verl keeps verl's default strategy. When this test fails, fsdp2 becomes possible."""
    assert "DTensor" in ranks[2]["fsdp2"]


def test_a_sharded_checkpoint_becomes_a_policy_that_is_evaluated(policy, ranks, tmp_path, monkeypatch):
    """verl's merger makes one bfloat16 policy from the files of two workers."""
    _, saved, told = ranks
    monkeypatch.setattr(sys, "argv", ["merge", "merge", "--backend", "fsdp", "--local_dir", str(saved),
                                      "--target_dir", str(tmp_path / "final")])  # fmt: skip
    model_merger.main()
    after = LocalPolicy(str(tmp_path / "final"), max_new_tokens=8)
    weights = dict(after.model.named_parameters())
    assert weights.keys() == told["trained"].keys()
    assert all(torch.equal(told["trained"][name].bfloat16().float(), weight) for name, weight in weights.items())
    assert isinstance(after.reply([Image.new("RGB", (56, 56), "white")], "Redraw it.")[0], str)

"""Alg. 1 and Eq. (2) inside TRL: what is run, masked, rewarded and resumed. Generation is scripted; the loss is real."""

from __future__ import annotations

import io
import json

import pytest
import tiny_policy
import torch
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration as Model

from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.policies.local import load_processor
from rrvf.profile import GRPOConfigSection, PolicyConfig, Profile, SFTConfigSection
from rrvf.protocol import answer_text, tool_call_text
from rrvf.records import Judgement, Render, Sample
from rrvf.rollout import Tools
from rrvf.training.checkpoints import last_checkpoint, read_log
from rrvf.training.grpo import RRVFTrainer, train_grpo
from rrvf.training.sft import train_sft

CALL = tool_call_text("plt.plot([1])", CHART)
ANSWER = answer_text("plt.plot([1])", CHART)
BROKEN = answer_text("plt.plot(", CHART)


def png(shade: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (56, 56), (shade, 10, 10)).save(buffer, "PNG")
    return buffer.getvalue()


class Renderer:
    """Renders whatever has balanced brackets."""

    def __init__(self):
        self.codes = []

    def render(self, code):
        self.codes.append(code)
        if code.count("(") != code.count(")"):
            return Render(status="render_error", reason="syntax_error", message="'(' was never closed")
        return Render(status="ok", width=56, height=56, png=png())


class Judge:
    score_value: float | None = 0.5

    def compare(self, reference, generated, domain):
        return Judgement(status="ok", feedback="---Comments:\n-**Text**- the title is missing.")

    def score(self, reference, generated, domain):
        if self.score_value is None:
            return Judgement(status="judge_error", reason="timeout")
        return Judgement(status="ok", score=self.score_value)


@pytest.fixture(scope="session")
def policy(tmp_path_factory):
    return tiny_policy.build(tmp_path_factory.mktemp("policy"))


@pytest.fixture
def samples(tmp_path):
    result = []
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(png(60 * i))
        (tmp_path / f"{i}.py").write_text(f"plt.plot([{i}])")
        fields = dict(domain="chart", split="train", sha256="", phash="", source="test", licence="none")
        result.append(Sample(id=str(i), image=f"{i}.png", code=f"{i}.py", **fields))
    return result


@pytest.fixture
def script(monkeypatch, policy):
    """Makes the policy write `script(turn, row)` instead of sampling; still consumes random numbers as sampling does."""
    tokenizer = load_processor(str(policy)).tokenizer
    state = {"write": lambda turn, row: ANSWER, "turn": 0}

    def generate(self, input_ids, **kwargs):
        texts = [state["write"](state["turn"], row) for row in range(len(input_ids))]
        state["turn"] += 1
        torch.rand(1)
        ids = [tokenizer(t, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id] for t in texts]
        new = torch.full((len(ids), max(map(len, ids))), tokenizer.pad_token_id)
        for row, tokens in enumerate(ids):
            new[row, : len(tokens)] = torch.tensor(tokens)
        return torch.cat([input_ids, new], dim=1)

    monkeypatch.setattr(Model, "generate", generate)
    return state


def profile_of(policy, **grpo) -> Profile:
    section = dict(domain="chart", train_set="t", steps=1, prompts_per_step=2, group_size=2, micro_batch=4)
    section |= dict(learning_rate=1e-2, max_completion_tokens=2000, max_turn_tokens=400, save_every=1) | grpo
    return Profile(
        name="test",
        policy=PolicyConfig(model=str(policy), prompts="nano", dtype="float32"),
        grpo={"chart": GRPOConfigSection(**section)},
    )


def run(policy, samples, tmp_path, judge=None, resume=False, out="run", **grpo):
    profile = profile_of(policy, **grpo)
    renderer, judge = Renderer(), judge or Judge()
    tools = Tools({"chart": renderer}, judge)
    final = train_grpo(profile, profile.grpo["chart"], samples, tmp_path, tools, tmp_path / out, resume=resume)
    tools.close()
    return final, renderer, [json.loads(x) for x in (tmp_path / out / "episodes.jsonl").read_text().splitlines()]


def test_a_call_then_an_answer_is_one_episode_of_two_turns(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: [CALL, ANSWER][turn]
    _, renderer, episodes = run(policy, samples, tmp_path)
    assert [[t["action"] for t in e["turns"]] for e in episodes] == [["tool_call", "answer"]] * 4
    assert renderer.codes == ["plt.plot([1])"] * 8


def test_turns_end_at_the_maximum(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: CALL
    _, renderer, episodes = run(policy, samples, tmp_path, max_turns=4)
    assert {len(e["turns"]) for e in episodes} == {4}
    assert len(renderer.codes) == 3 * 4 and all(e["final_code"] is None for e in episodes)


def test_a_malformed_call_gets_its_error_back_and_the_episode_goes_on(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: ["<tool_call>{oops</tool_call>", ANSWER][turn]
    _, _, episodes = run(policy, samples, tmp_path)
    first = episodes[0]["turns"][0]
    assert (first["action"], first["feedback"]) == ("none", "---Error: the <tool_call> is not valid JSON")
    assert episodes[0]["final_code"] == "plt.plot([1])"


def test_reward_is_the_weighted_sum_of_equation_2(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: [CALL, ANSWER][turn]
    run(policy, samples, tmp_path)
    assert read_log(tmp_path / "run/log.jsonl")[0]["reward"] == pytest.approx(0.2 * 0.5 + 0.8 * 1 + 1.0 / 3)


def test_tool_tokens_carry_no_loss(policy, samples, tmp_path, script, monkeypatch):
    script["write"] = lambda turn, row: [CALL, ANSWER][turn]
    seen = []
    original = RRVFTrainer._generate_and_score_completions

    def spy(self, inputs):
        output = original(self, inputs)
        seen.append((self._tokenizer, output))
        return output

    monkeypatch.setattr(RRVFTrainer, "_generate_and_score_completions", spy)
    run(policy, samples, tmp_path)
    tokenizer, output = seen[0]
    ids, mask = output["completion_ids"][0], output["tool_mask"][0].bool()
    learned = tokenizer.decode(ids[mask & output["completion_mask"][0].bool()])
    assert learned == CALL + "<|im_end|>" + ANSWER + "<|im_end|>"


def test_a_failed_judge_leaves_the_group_instead_of_scoring_zero(policy, samples, tmp_path, script):
    judge = Judge()
    judge.score_value = None
    run(policy, samples, tmp_path, judge=judge)
    line = read_log(tmp_path / "run/log.jsonl")[0]
    assert line["rrvf/judge_errors"] == 1.0
    assert line["reward"] is None and line["grad_norm"] == 0.0


@pytest.mark.parametrize(("advantage", "signs"), [("mean", (-1, 1)), ("max", (-1, 0))])
def test_baseline_decides_the_sign_of_the_best(policy, samples, tmp_path, script, monkeypatch, advantage, signs):
    script["write"] = lambda turn, row: [ANSWER, BROKEN][row % 2]
    seen = []
    original = RRVFTrainer._generate_and_score_completions
    monkeypatch.setattr(
        RRVFTrainer,
        "_generate_and_score_completions",
        lambda self, inputs: seen.append(original(self, inputs)) or seen[-1],
    )
    run(policy, samples, tmp_path, advantage=advantage)
    assert set(torch.sign(seen[0]["advantages"]).int().tolist()) == set(signs)


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_a_killed_run_resumed_equals_the_uninterrupted_one(policy, samples, tmp_path, script, killed_at):
    def write(turn, row):
        if turn == script.get("kill"):
            script["kill"] = None
            raise KeyboardInterrupt
        return [ANSWER, BROKEN][(row + turn) % 2]

    script["write"] = write
    whole, _, _ = run(policy, samples, tmp_path, out="whole", steps=4)
    script |= {"turn": 0, "kill": killed_at}
    with pytest.raises(KeyboardInterrupt):
        run(policy, samples, tmp_path, out="parts", steps=4)
    resumed, _, _ = run(policy, samples, tmp_path, out="parts", steps=4, resume=True)
    one, other = (Model.from_pretrained(p).state_dict() for p in (whole, resumed))
    assert all(torch.equal(one[k], other[k]) for k in one)
    assert [x["step"] for x in read_log(tmp_path / "parts/log.jsonl")] == [1, 2, 3, 4]


def test_training_moves_the_weights(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: [ANSWER, BROKEN][row % 2]
    final, _, _ = run(policy, samples, tmp_path)
    before, after = (Model.from_pretrained(p).state_dict() for p in (policy, final))
    assert any(not torch.equal(before[k], after[k]) for k in before)


def test_a_second_run_into_the_same_folder_is_refused(policy, samples, tmp_path, script):
    run(policy, samples, tmp_path)
    with pytest.raises(UserError, match="--resume"):
        run(policy, samples, tmp_path)


def test_a_checkpoint_cut_short_is_not_the_last_one(tmp_path):
    for name in ("checkpoint-5", "checkpoint-10"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-5/trainer_state.json").write_text("{}")
    assert last_checkpoint(tmp_path).name == "checkpoint-5"


def test_sft_lowers_the_loss_on_its_pairs(policy, samples, tmp_path):
    profile = profile_of(policy)
    config = SFTConfigSection(domain="chart", train_set="t", steps=6, batch=4, learning_rate=1e-2)
    train_sft(profile, config, samples, tmp_path, tmp_path / "sft")
    losses = [line["loss"] for line in read_log(tmp_path / "sft/log.jsonl")]
    assert losses[-1] < losses[0] - 0.2


def test_sft_says_that_it_needs_code(policy, samples, tmp_path):
    config = SFTConfigSection(domain="chart", train_set="t", steps=1, batch=1)
    bare = [s.model_copy(update={"code": None}) for s in samples]
    with pytest.raises(UserError, match="needs pairs"):
        train_sft(profile_of(policy), config, bare, tmp_path, tmp_path / "sft")

"""A GRPO run with a policy that writes a test's script. Tools are stand-ins; TRL and the loss are real."""

from __future__ import annotations

import io
import json

from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration as Model  # noqa: F401

from rrvf.domains import CHART, WEB
from rrvf.profile import GRPOConfigSection, PolicyConfig, Profile
from rrvf.protocol import answer_text, tool_call_text
from rrvf.records import Judgement, Render
from rrvf.rollout import Tools

CALL = tool_call_text("plt.plot([1])", CHART)
ANSWER = answer_text("plt.plot([1])", CHART)
BROKEN = answer_text("plt.plot(", CHART)
PAGE = answer_text("<p>(</p>)", WEB)


def png(shade: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (56, 56), (shade, 10, 10)).save(buffer, "PNG")
    return buffer.getvalue()


class Renderer:
    """A renderer that accepts any text with balanced brackets."""

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


def profile_of(policy, **grpo) -> Profile:
    section = dict(domain="chart", train_set="t", steps=1, prompts_per_step=2, group_size=2, micro_batch=4)
    section |= (
        dict(learning_rate=1e-2, max_completion_tokens=2000, max_turn_tokens=400, max_turns=4, save_every=1) | grpo
    )
    return Profile(
        name="test",
        policy=PolicyConfig(model=str(policy), prompts="nano", dtype="float32"),
        grpo={"chart": GRPOConfigSection(**section)},
    )


def run(policy, samples, tmp_path, judge=None, resume=False, out="run", lora_rank=None, autocast=False, **grpo):
    from rrvf.training.grpo import train_grpo  # inside, because other parts of this file are used without TRL

    profile = profile_of(policy, **grpo)
    profile = profile.model_copy(
        update={"policy": profile.policy.model_copy(update={"lora_rank": lora_rank, "autocast": autocast})}
    )
    renderer, judge = Renderer(), judge or Judge()
    tools = Tools({"chart": renderer, "web": renderer}, judge)
    final = train_grpo(profile, profile.grpo["chart"], samples, tmp_path, tools, tmp_path / out, resume=resume)
    tools.close()
    return final, renderer, [json.loads(x) for x in (tmp_path / out / "episodes.jsonl").read_text().splitlines()]

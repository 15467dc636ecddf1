"""One episode of Alg. 1 in verl: an agent loop around `rrvf.rollout.Episode`, with the reward of Eq. (2).

verl handles tokens, masks and generation. The profile that the configuration names (`rrvf:`) defines turns, tools and
reward. This is an agent loop and not a verl tool for two reasons: verl's tool parser would parse a call by other rules
than `rrvf.protocol`, and a tool cannot see the answer. Each turn's request contains the tokens of earlier turns exactly
as they were generated.
"""

from __future__ import annotations

import asyncio
import atexit
import io
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from PIL import Image, ImageOps
from verl.experimental.agent_loop import AgentLoopBase, AgentLoopOutput
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics
from verl.utils.profiler import simple_timer

from rrvf.domains import domain
from rrvf.policies.tokens import picture_tokens
from rrvf.profile import GRPOConfigSection, load_profile
from rrvf.records import Render, RewardTerms, Trajectory
from rrvf.reward import RewardRule, reward_rule
from rrvf.rollout import Episode, Tools
from rrvf.study import Study


class RRVFLoop(AgentLoopBase):
    """verl creates one loop for each episode. The settings are those of the profile's grpo section."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        method = self.config.rrvf
        self.settings, self.tools, self.rule = _workplace(
            method.profile, method.section, self.rollout_config.agent.num_workers
        )

    async def run(self, sampling_params: dict[str, Any], **row) -> AgentLoopOutput | list:
        """Play the episode of one row of the data set.

        Returns an empty list if the judge or the harness failed: verl then computes advantages over the rest of the
        group.
        """
        at = row["extra_info"]
        episode = Episode(
            at["sample_id"], domain(at["domain"]), Path(at["target"]).read_bytes(), self.tools, self.settings.max_turns,
            self.settings.last_turn_hint,
        )  # fmt: skip
        messages = list(row["raw_prompt"])
        pictures = (await self.process_multi_modal_info(messages))["images"]
        prompt = await self.ct_build_initial_tokens(messages, images=pictures)
        written = Written(prompt)
        trajectory = await self._play(episode, written, messages, pictures, sampling_params)
        terms = self.rule.terms(trajectory)
        if terms.total is None:
            return []
        return AgentLoopOutput(
            prompt_ids=prompt,
            response_ids=written.ids[len(prompt) :],
            response_mask=written.mask,
            response_logprobs=written.logprobs,
            multi_modal_data={"images": pictures},
            reward_score=terms.total,
            num_turns=2 * len(trajectory.turns),
            metrics=AgentLoopMetrics(**written.seconds),
            extra_fields=written.said | {"reward_extra_info": _figures(trajectory, terms)},
        )

    async def _play(
        self, episode: Episode, written: Written, messages: list[dict], pictures: list, sampling: dict[str, Any]
    ) -> Trajectory:
        """Lines 3 to 14 of Alg. 1. Appends to `written` and `pictures`."""
        request, limit = uuid4().hex, self.rollout_config.response_length
        sampling = sampling | {"logit_bias": dict.fromkeys(picture_tokens(self.tokenizer), -100.0)}
        while True:
            room = min(self.settings.max_turn_tokens, limit - len(written.mask))
            with simple_timer("generate_sequences", written.seconds):
                output = await self.server_manager.generate(
                    request_id=request, prompt_ids=written.ids, sampling_params=sampling | {"max_tokens": room},
                    image_data=pictures,
                )  # fmt: skip
            written.say(output.extra_fields)
            written.take(
                *await self.ct_merge_assistant_token(
                    written.ids, output.token_ids, written.mask, written.logprobs, output.log_probs
                )
            )
            text = self.tokenizer.decode(output.token_ids, skip_special_tokens=True)
            with simple_timer("tool_calls", written.seconds):
                told = await self._aside(episode.take, text)
            if isinstance(told, Trajectory):
                return told
            shown = [_over(pictures[0].size, episode.turns[-1].render)] if self.settings.attach_render else []
            before = [*messages, {"role": "assistant", "content": text}]
            messages = [*before, _message(told, shown)]
            merged = await self.ct_merge_context_msg(before, messages, written.ids, written.mask, written.logprobs)
            if len(merged[1]) >= limit:
                # The feedback does not fit into the context. The policy never sees it, so the turn does not count (as
                # in TRL).
                episode.turns.pop()
                return await self._aside(episode.finish, text)
            written.take(*merged)
            pictures += shown

    async def _aside(self, call, *arguments):
        """Run `call(*arguments)` on the tools' threads while other episodes continue."""
        return await asyncio.wrap_future(self.tools.submit(call, *arguments))


class Written:
    """An episode's tokens: ids of prompt and response; mask (1: written by the policy) and logprobs of the response."""

    def __init__(self, prompt: list[int]) -> None:
        self.ids, self.mask, self.logprobs = prompt, [], []
        self.seconds: dict[str, float] = {}
        self.said: dict[str, Any] = {}

    def take(self, merged, mask: list[int], logprobs: list[float]) -> None:
        """Store the tokens after one more turn, as verl's builder returns them."""
        self.ids, self.mask, self.logprobs = merged.token_ids, mask, logprobs

    def say(self, fields: dict[str, Any]) -> None:
        """Keep the server's fields of the first turn, but of the last `max_global_steps`, the step of the weights."""
        self.said = fields | self.said | {k: v for k, v in fields.items() if k == "max_global_steps"}


@cache
def _workplace(profile_name: str, section: str, sharers: int) -> tuple[GRPOConfigSection, Tools, RewardRule]:
    """Settings, tools and reward of this process. sharers: number of processes that share renderers and judge."""
    profile = load_profile(profile_name)
    flight = max(1, profile.judge.max_in_flight // sharers)
    judge = profile.judge.model_copy(update={"max_in_flight": flight})
    study = Study(profile.model_copy(update={"workers": max(1, profile.workers // sharers), "judge": judge}))
    settings = study.section("grpo", section)
    stack = ExitStack()
    atexit.register(stack.close)
    return settings, stack.enter_context(study.tools_of(settings)), reward_rule(profile)


def _message(feedback: str, shown: list[Image.Image]) -> dict:
    """The feedback as a user message, a role that every chat template has. It gives the same tokens as in TRL."""
    parts = [{"type": "image", "image": picture} for picture in shown]
    text = [{"type": "text", "text": part} for part in ("<tool_response>", f"{feedback}</tool_response>")]
    return {"role": "user", "content": [text[0], *parts, text[1]]}


def _over(size: tuple[int, int], render: Render | None) -> Image.Image:
    """A draft's picture scaled to the target's size; white if there is none."""
    if render is None or not render.ok:
        return Image.new("RGB", size, "white")
    return ImageOps.pad(Image.open(io.BytesIO(render.png)).convert("RGB"), size, color="white")


def _figures(trajectory: Trajectory, terms: RewardTerms) -> dict[str, float]:
    """Figures that verl logs with the reward. All episodes must have the same keys."""
    ran = trajectory.final_render is not None and trajectory.final_render.ok
    return terms.model_dump(exclude={"total"}) | {"exec_rate": float(ran), "tool_calls": float(trajectory.tool_calls)}

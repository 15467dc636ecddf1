"""Alg. 1 as a TRL environment, and Eq. (2) as TRL reward functions.

TRL owns tokens, masks and generation. This module defines what a tool call does and how an episode is rewarded. TRL
calls tools one after another, so a tool call returns a future. `RRVFTrainer` resolves the futures of a round after all
calls have started.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from PIL import Image, ImageOps

from rrvf.domains import domain
from rrvf.records import RewardTerms, Trajectory
from rrvf.reward import RewardRule
from rrvf.rollout import Episode, Revision, Tools, revisions
from rrvf.training.pictures import Bound


class Environment:
    """One episode as TRL sees it: `reset` with a dataset row, then tool calls. It sees pictures, never the true code.

    tools: shared by all environments. targets: PNG bytes by sample id. max_turns: T_max.
    hint: the tool response before turn T_max tells the policy to answer (LAST_TURN_HINT).
    attach_render: a tool response also shows the draft's picture, in the target's size. bound: limits that size.
    """

    def __init__(
        self, tools: Tools, targets: Mapping[str, bytes], max_turns: int, hint: bool, attach_render: bool = False,
        bound: Bound | None = None,
    ) -> None:  # fmt: skip
        self._tools, self._targets, self._max_turns, self._hint = tools, targets, max_turns, hint
        self._attach_render, self._bound = attach_render, bound
        self._episode: Episode | None = None
        self._trajectory: Trajectory | None = None

    def reset(self, sample_id: str, domain_name: str, **_row) -> None:
        """Start the episode of one dataset row. Other columns are ignored: they belong to TRL."""
        self._trajectory = None
        self._episode = Episode(
            sample_id, domain(domain_name), self._targets[sample_id], self._tools, self._max_turns, self._hint
        )

    def render_and_compare(self, call: str) -> list[Future | dict]:
        """Render the code of a tool call and compare the picture with the target.

        Args:
            call: The JSON between the tool_call tags.

        Returns:
            The feedback, as a future: a list passes TRL's loop untouched. With `attach_render`, a picture before it.
        """
        if not self._attach_render:
            return [self._tools.submit(self._episode.tool_call, call)]
        # TRL takes the picture out of the list now but reads it later: return a white one, and paste the draft's render
        # into it when there is one. A draft that fails leaves it white; the feedback gives the error.
        size = Image.open(io.BytesIO(self._episode.target_png)).size
        picture = Image.new("RGB", self._bound.size(*size) if self._bound else size, "white")
        return [{"type": "image", "image": picture}, self._tools.submit(self._draft_onto, picture, call)]

    def _draft_onto(self, picture: Image.Image, call: str) -> str:
        feedback = self._episode.tool_call(call)
        render = self._episode.turns[-1].render
        if render is not None and render.ok:
            drawn = Image.open(io.BytesIO(render.png)).convert("RGB")
            picture.paste(ImageOps.pad(drawn, picture.size, color="white"))
        return feedback

    def _finish(self, messages: list[dict]) -> Trajectory:
        """End the episode with the completion's messages, and return its trajectory.

        If the token budget ended with a tool response, the policy has no last turn: its text is empty. If a tool
        response did not fit, TRL removed it after the call had run. The policy never saw it, so the call counts as not
        executed: its text is the last turn.
        """
        if self._trajectory is None:
            texts = [_turn_text(message) for message in messages if message["role"] == "assistant"]
            responses = sum(message["role"] == "tool" for message in messages)
            # TRL passes the tool only the call. Restore the text that the policy wrote around it.
            turns = zip(self._episode.turns[:responses], texts, strict=False)
            self._episode.turns = [turn.model_copy(update={"text": text}) for turn, text in turns]
            text = texts[responses] if len(texts) > responses else ""
            self._trajectory = self._episode.finish(text)
        return self._trajectory


def _turn_text(message: dict) -> str:
    """The policy's text of a parsed message: its content, then the tool calls that TRL moved out of it."""
    calls = (c["function"]["arguments"]["call"] for c in message.get("tool_calls") or [])
    return (message.get("content") or "") + "".join(f"<tool_call>{call}</tool_call>" for call in calls)


class Rewards:
    """The three terms of Eq. (2) as TRL reward functions; TRL computes the weighted sum.

    An episode with a judge error or a harness error gets None from all three. TRL then leaves it out of its group's
    mean and gives it no gradient.
    on_batch: called with a step's finished trajectories, in order, and the step's number.
    """

    def __init__(self, rule: RewardRule, tools: Tools, on_batch: Callable[[list[Trajectory], int], None]) -> None:
        self.rule, self._tools, self._on_batch = rule, tools, on_batch
        self._terms: list[RewardTerms] = []

    @property
    def functions(self) -> list[Callable]:
        """The reward functions in the order of `weights`. The first one finishes the episodes."""
        return [self.vision, self.format, self.tool]

    @property
    def weights(self) -> list[float]:
        """The weights of Eq. (2) in the order of `functions`: vision, format, tool."""
        w = self.rule.weights
        return [w.vision, w.format, w.tool]

    def vision(self, completions, environments, log_metric, trainer_state, **_) -> list[float | None]:
        """R_vision. Finishes all episodes of the batch in parallel (final render and score), and logs their metrics."""
        jobs = [self._tools.submit(e._finish, c) for e, c in zip(environments, completions, strict=True)]
        trajectories = [job.result() for job in jobs]
        self._terms = [self.rule.terms(t) for t in trajectories]
        trajectories = [t.model_copy(update={"reward": r}) for t, r in zip(trajectories, self._terms, strict=True)]
        for name, values in batch_metrics(trajectories).items():
            for value in values:
                log_metric(name, value)
        self._on_batch(trajectories, trainer_state.global_step + 1)
        return [t.vision for t in self._terms]

    def format(self, **_) -> list[float | None]:
        """R_format of the batch that `vision` finished."""
        return [t.format if t.total is not None else None for t in self._terms]

    def tool(self, **_) -> list[float | None]:
        """R_tool of the batch that `vision` finished."""
        return [t.tool if t.total is not None else None for t in self._terms]


def batch_metrics(trajectories: list[Trajectory]) -> dict[str, list[float]]:
    """The metrics of a batch: a value per episode, draft or turn. TRL logs their means.

    Episodes with a harness error count only in `rrvf/harness_errors`. Similarity covers only episodes with a score.
    """
    failures = [float(t.harness_error is not None) for t in trajectories]
    trajectories = [t for t in trajectories if t.harness_error is None]
    scored = [t.judgement.score for t in trajectories if t.judgement is not None and t.judgement.ok]
    drafts = [turn for t in trajectories for turn in t.turns if turn.render is not None]
    drawn = [t.final_render for t in trajectories if t.final_render is not None and t.final_render.ok]
    return {
        "rrvf/harness_errors": failures,
        "rrvf/pasted_share": [render.pasted_share or 0.0 for render in drawn],
        "rrvf/exec_rate": [float(t.final_render is not None and t.final_render.ok) for t in trajectories],
        "rrvf/answered": [float(t.final_code is not None) for t in trajectories],
        "rrvf/tool_calls": [float(t.tool_calls) for t in trajectories],
        "rrvf/turns": [float(len(t.turns)) for t in trajectories],
        "rrvf/draft_exec_rate": [float(turn.render.ok) for turn in drafts],
        "rrvf/similarity_given_exec": scored,
        "rrvf/judge_errors": [float(t.judgement is not None and not t.judgement.ok) for t in trajectories],
        "rrvf/feedback_errors": [float(not turn.judgement.ok) for turn in drafts if turn.judgement is not None],
        **_by_turn([r for t in trajectories for r in revisions(t)]),
    }


def _by_turn(made: list[Revision]) -> dict[str, list[float]]:
    """Repairs (the turn renders, the draft did not) and refinements (both render, the turn is closer), by turn."""
    rows: dict[str, list[float]] = {}
    for revision in made:
        for name, value in (("repaired", revision.repaired), ("refined", revision.refined)):
            if value is not None:
                rows.setdefault(f"rrvf/{name}_turn_{revision.turn}", []).append(float(value))
    return rows

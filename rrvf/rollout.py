"""One episode of Alg. 1: picture in, turns of code and feedback, final code out.

`Tools` joins a renderer and a judge; `Episode` is the state of Alg. 1 between two turns; `run_episode` plays one with
any policy. Training drives the same `Episode` from TRL (rrvf.training.environment).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from rrvf.domains import Domain
from rrvf.protocol import call_content, parse_call, parse_turn, sanitize
from rrvf.records import Judgement, Render, Trajectory, Turn

#: Said with the last tool response before the last turn, since the policy cannot count turns (ours: D10).
LAST_TURN_HINT = "\nThis was the last draft: answer now."


class RendererLike(Protocol):
    """What an episode needs of `rrvf.render.Renderer`."""

    def render(self, code: str) -> Render:
        """`code` as a picture, or why there is none; never raises for what the code does."""


class JudgeLike(Protocol):
    """What an episode needs of `rrvf.judge.client.JudgeClient`."""

    def compare(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """Feedback on a draft, in words, and its similarity if the judge gives one."""

    def score(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """The similarity of an answer in [0, 1], or `judge_error`."""


class Tools:
    """The external tool of Fig. 2c: renders code, asks the judge, and runs many such calls at once.

    renderers: one per domain name. judge: compares and scores. threads: calls in flight; renders and judging of
    different episodes overlap, which TRL's own tool loop does not do. bare_score: a draft is told its similarity and
    nothing else, to see what the words are worth.
    """

    def __init__(
        self,
        renderers: Mapping[str, RendererLike],
        judge: JudgeLike,
        threads: int = 8,
        bare_score: bool = False,
    ) -> None:
        self._renderers = renderers
        self._judge = judge
        self._bare_score = bare_score
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rrvf-tools")

    def submit(self, call: Callable, *args) -> Future:
        """Start `call(*args)` on the pool."""
        return self._pool.submit(call, *args)

    def draft(self, code: str, target_png: bytes, domain: Domain) -> tuple[Render, Judgement | None, str]:
        """Fig. 2c: render, compare, and what the policy is told. A failed render is told instead of a comparison."""
        render = self._renderers[domain.name].render(code)
        if render.status == "harness_error":
            return render, None, "---Comments: the picture could not be drawn this time."
        if not render.ok:
            return render, None, sanitize(f"---Error: {render.reason}: {render.message}")
        ask = self._judge.score if self._bare_score else self._judge.compare
        judgement = ask(target_png, render.png, domain.name)
        if not judgement.ok:
            return render, judgement, "---Comments: the comparison is not available this time."
        words = f"---Score: {judgement.score:.2f}" if self._bare_score else sanitize(judgement.feedback)
        return render, judgement, words

    def final(self, code: str, target_png: bytes, domain: Domain) -> tuple[Render, Judgement | None]:
        """Fig. 2d: render the final code and score it. No judgement where there is no picture."""
        render = self._renderers[domain.name].render(code)
        if not render.ok:
            return render, None
        return render, self._judge.score(target_png, render.png, domain.name)

    def close(self) -> None:
        """Stop the threads; renderers and judge belong to whoever made them."""
        # Not waited for: a thread may wait for a judge that is away, and is told when that client closes.
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass
class Episode:
    """The history H of Alg. 1 for one picture. Not a record: it changes until `finish` freezes it into one."""

    sample_id: str
    domain: Domain
    target_png: bytes = field(repr=False)
    tools: Tools = field(repr=False)
    max_turns: int = 4
    hint: bool = True
    turns: list[Turn] = field(default_factory=list)

    def tool_call(self, content: str, text: str = "") -> str:
        """Lines 9 to 11: run the call whose JSON is `content`, give the tool response's text."""
        action = parse_call(content, self.domain)
        if action.kind != "tool_call":
            render, judgement, feedback = None, None, f"---Error: {action.problem}"
        else:
            render, judgement, feedback = self.tools.draft(action.code, self.target_png, self.domain)
        if self.hint and len(self.turns) == self.max_turns - 2:
            feedback += LAST_TURN_HINT
        text = text or f"<tool_call>{content}</tool_call>"
        self.turns.append(
            Turn(
                text=text,
                action=action.kind,
                code=action.code,
                problem=action.problem,
                render=render,
                judgement=judgement,
                feedback=feedback,
            )
        )
        return feedback

    def take(self, text: str) -> str | Trajectory:
        """One turn of the policy: what it is told (lines 9 to 11), or the trajectory where the episode ends with it."""
        content = call_content(text)
        if content is None or len(self.turns) == self.max_turns - 1:
            return self.finish(text)
        return self.tool_call(content, text)

    def finish(self, text: str) -> Trajectory:
        """Lines 5 to 7 and 14: take the answer out of the last turn, render and score it.

        An unexecuted call in the last turn (T_max reached, or no room left) counts neither as a call nor as an answer.
        """
        action = parse_turn(text, self.domain)
        answer = action.code if action.kind == "answer" else None
        problem = action.problem or (None if answer else "the last turn holds no <answer>")
        self.turns.append(Turn(text=text, action=action.kind, code=action.code, problem=problem))
        render = judgement = None
        if answer is not None:
            render, judgement = self.tools.final(answer, self.target_png, self.domain)
        return Trajectory(
            sample_id=self.sample_id,
            domain=self.domain.name,
            turns=tuple(self.turns),
            final_code=answer,
            final_render=render,
            judgement=judgement,
        )


@dataclass(frozen=True)
class Revision:
    """What a later turn made of the draft before it.

    Of each, whether its code gave a picture, and the similarity if known.

    A judge that only gave words for a draft leaves its similarity unknown.
    """

    turn: int
    ran: tuple[bool, bool]
    scores: tuple[float | None, float | None]

    @property
    def repaired(self) -> bool | None:
        """Of a draft that gave no picture, whether this turn gives one; None where the draft gave one."""
        before, after = self.ran
        return None if before else after

    @property
    def refined(self) -> bool | None:
        """Of a draft that gave a picture, whether this turn's is closer.

        None where it gave none or a score is unknown.
        """
        (before, after), (old, new) = self.ran, self.scores
        if not before or old is None or (after and new is None):
            return None
        return after and new > old


def revisions(trajectory: Trajectory) -> Iterator[Revision]:
    """Each later turn that holds code; none where a render on either side failed through no fault of its code."""
    drafts = [(t.render, t.judgement) for t in trajectory.turns if t.render is not None]
    final = [(trajectory.final_render, trajectory.judgement)] if trajectory.final_render is not None else []
    for turn, pair in enumerate(pairwise(drafts + final), 2):
        if any(render.status == "harness_error" for render, _ in pair):
            continue
        ran, scores = zip(
            *[(render.ok, judgement.score if judgement else None) for render, judgement in pair], strict=True
        )
        yield Revision(turn, ran, scores)


def run_episode(generate: Callable[[list[dict]], str], prompt: str, image, episode: Episode) -> Trajectory:
    """Alg. 1 with any policy. `generate` takes chat messages (the picture in the first) and returns one turn's text."""
    messages = [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": prompt}]}]
    while True:
        text = generate(messages)
        told = episode.take(text)
        if isinstance(told, Trajectory):
            return told
        messages += [{"role": "assistant", "content": text}, {"role": "tool", "content": told}]

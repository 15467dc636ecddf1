"""One episode of Alg. 1: picture in, turns of code and feedback, final code out.

`Tools` joins the renderers and a judge. `Episode` is the state of Alg. 1 between two turns. `run_episode` plays an
episode with any policy. In training, TRL drives the same `Episode` (rrvf.training.environment).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from rrvf.domains import Domain
from rrvf.protocol import Action, call_content, first_message, parse_call, parse_turn, sanitize
from rrvf.records import Judgement, Render, Trajectory, Turn

#: Ends the tool response before turn T_max, because the policy cannot count its turns (ours: D10).
LAST_TURN_HINT = "\nThis was the last draft: answer now."
#: Takes the code from a reply; None where it has none.
Read = Callable[[str], str | None]


class RendererLike(Protocol):
    """The part of `rrvf.render.Renderer` that an episode uses."""

    def render(self, code: str) -> Render:
        """Render `code`: a picture, or the reason why there is none. Never raises because of what the code does."""


class JudgeLike(Protocol):
    """The part of `rrvf.judge.client.JudgeClient` that an episode uses."""

    def compare(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """Feedback on a draft in words, with its similarity if the judge gives one."""

    def score(self, reference_png: bytes, generated_png: bytes, domain: str) -> Judgement:
        """The similarity of an answer in [0, 1], or `judge_error`."""


class Tools:
    """The external tool of Fig. 2c: renders code and asks the judge, for many episodes in parallel.

    renderers: by domain name. judge: compares drafts and scores answers.
    threads: calls in flight. Calls of different episodes overlap; TRL's own tool loop runs them one by one.
    bare_score: feedback is the similarity alone, without words (an ablation of the words).
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
        """Fig. 2c: render a draft and compare it with the target. Returns render, judgement and the feedback text.

        There is no judgement if the render failed; the feedback then gives the error.
        """
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
        """Fig. 2d: render the final code and score the picture. Without a picture there is no judgement."""
        render = self._renderers[domain.name].render(code)
        if not render.ok:
            return render, None
        return render, self._judge.score(target_png, render.png, domain.name)

    def close(self) -> None:
        """Stop the threads. The caller closes renderers and judge."""
        # Do not wait: a thread may be waiting for a judge that does not answer. It ends when the judge client closes.
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass
class Episode:
    """The history H of Alg. 1 for one picture. It grows turn by turn; `finish` turns it into a frozen `Trajectory`.

    max_turns: T_max. hint: append LAST_TURN_HINT to the tool response before turn T_max.
    read: takes the code from a last turn without `<answer>`, as an evaluation does; None: such a turn is no answer.
    """

    sample_id: str
    domain: Domain
    target_png: bytes = field(repr=False)
    tools: Tools = field(repr=False)
    max_turns: int = 4
    hint: bool = True
    read: Read | None = field(default=None, repr=False)
    turns: list[Turn] = field(default_factory=list)

    def tool_call(self, content: str, text: str = "") -> str:
        """Alg. 1, lines 9 to 11: run one tool call. content: its JSON. text: the whole turn, if there is more to it.

        Returns the text of the tool response.
        """
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
        """Take one turn of the policy. Returns the tool response, or the trajectory if this turn ends the episode."""
        content = call_content(text)
        if content is None or len(self.turns) == self.max_turns - 1:
            return self.finish(text)
        return self.tool_call(content, text)

    def finish(self, text: str) -> Trajectory:
        """Alg. 1, lines 5 to 7 and 14: take the answer from the last turn, render it and score it.

        A tool call in the last turn is not executed (T_max is reached, or the token budget is spent). It counts neither
        as a call nor as an answer.
        """
        action = parse_turn(text, self.domain)
        if action.kind == "none" and self.read and (code := self.read(text)) is not None:
            action = Action("answer", code)
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
    """A later turn compared with the draft before it; both pairs are (draft, turn).

    turn: its number among the rendered turns, from 2. ran: whether the code rendered. scores: the similarity; None if
    the judge gave only words.
    """

    turn: int
    ran: tuple[bool, bool]
    scores: tuple[float | None, float | None]

    @property
    def repaired(self) -> bool | None:
        """Whether this turn renders although the draft did not. None if the draft rendered."""
        before, after = self.ran
        return None if before else after

    @property
    def refined(self) -> bool | None:
        """Whether this turn is closer to the target than a draft that rendered.

        None if the draft did not render, or if a score is unknown.
        """
        (before, after), (old, new) = self.ran, self.scores
        if not before or old is None or (after and new is None):
            return None
        return after and new > old


def revisions(trajectory: Trajectory) -> Iterator[Revision]:
    """Compare each later turn that was rendered with the draft before it. Pairs with a harness error are left out."""
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
    """Play Alg. 1 with any policy. generate: takes the chat messages, picture first, and returns the next turn."""
    messages = [first_message(image, prompt)]
    while True:
        text = generate(messages)
        result = episode.take(text)
        if isinstance(result, Trajectory):
            return result
        messages += [{"role": "assistant", "content": text}, {"role": "tool", "content": result}]

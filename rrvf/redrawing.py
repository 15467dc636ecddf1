"""One picture in, code out: Alg. 1 at inference, with any policy.

    rrvf.redraw("picture.png", policy="http://localhost:8000/v1#my-model").code

A policy that was not trained on our tags works too: a last turn without `<answer>` is read like an evaluated reply. If
the answer gives no picture, the closest draft is taken.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from rrvf.data.folder import Skipped, as_png
from rrvf.domains import CHART, DOMAINS, Canvas, Domain, domain
from rrvf.errors import UserError
from rrvf.folders import make
from rrvf.own_pictures import longest_reply, profile_for
from rrvf.policies import NoReply
from rrvf.policies.names import Feedback, feedback_of
from rrvf.protocol import code_in, load_prompt, read_reply
from rrvf.records import Judgement, Render, Trajectory, Turn
from rrvf.render import Limits, Renderer
from rrvf.report.episodes import kept_pictures, trajectory_html
from rrvf.report.html import visible
from rrvf.rollout import Episode, JudgeLike, Tools, run_episode

#: Callback per turn: its number, the turn, and the finished episode with the last turn, else None.
OnTurn = Callable[[int, Turn, Trajectory | None], None]


@dataclass(frozen=True)
class Redrawn:
    """A redrawn picture. `trajectory` holds the whole episode.

    turn: the turn whose code was taken, from 1; None if no turn gave a picture. target_png: the picture that the policy
    saw.
    """

    trajectory: Trajectory
    target_png: bytes = field(repr=False)
    turn: int | None

    @property
    def answered(self) -> bool:
        """Whether the code comes from the answer, not from a draft."""
        return self.turn == len(self.trajectory.turns)

    @property
    def _drawn(self) -> tuple[str | None, Render | None, Judgement | None]:
        """Code, render and judgement of the turn that was taken.

        If no turn gave a picture: the answer's code, None, None.
        """
        whole = self.trajectory
        if self.turn is None:
            return whole.final_code, None, None
        if self.answered:
            return whole.final_code, whole.final_render, whole.judgement
        draft = whole.turns[self.turn - 1]
        return draft.code, draft.render, draft.judgement

    @property
    def code(self) -> str | None:
        """The program of the turn that was taken; of the answer if no turn gave a picture. None if there is none."""
        return self._drawn[0]

    @property
    def png(self) -> bytes | None:
        """The picture of the turn that was taken, as PNG. None if there is none."""
        render = self._drawn[1]
        return render.png if render is not None else None

    @property
    def similarity(self) -> float | None:
        """The judge's score, 0 to 1. None if there is no picture or the judge failed."""
        judgement = self._drawn[2]
        return judgement.score if judgement is not None and judgement.ok else None

    @property
    def verdict(self) -> str:
        """The result, in one line."""
        if self.turn is None:
            why = self.trajectory.harness_error
            return f"the renderer failed ({why}): run `rrvf doctor`" if why else "no turn gave a picture"
        likeness = "unknown" if self.similarity is None else f"{self.similarity:.3f}"
        return f"similarity {likeness}" + ("" if self.answered else f", of the draft of turn {self.turn}")

    def html(self) -> str:
        """A self-contained HTML page: target, drafts with their feedback, and the answer, side by side."""
        name = self.trajectory.sample_id
        title = f"{name}: {self.verdict}"
        return trajectory_html([self.trajectory], kept_pictures({name: self.target_png}), title)

    def save(self, out: Path) -> list[Path]:
        """Write `answer` with the domain's suffix, `answer.png`, `episode.json` and `index.html` to `out`.

        Returns the paths that were written.
        """
        make(out)
        suffix = domain(self.trajectory.domain).suffix
        # None: a file that an earlier picture, perhaps of another domain, may have left.
        files: dict[str, bytes | None] = dict.fromkeys(f"answer{known.suffix}" for known in DOMAINS.values())
        files |= {
            f"answer{suffix}": (self.code or "").encode() or None,
            "answer.png": self.png,
            "episode.json": self.trajectory.model_dump_json(indent=1).encode(),
            "index.html": self.html().encode(),
        }
        for name, data in files.items():
            if data is None:
                (out / name).unlink(missing_ok=True)
            else:
                (out / name).write_bytes(data)
        return [out / name for name, data in files.items() if data is not None]


def redraw(
    picture: str | Path,
    domain: str = CHART.name,
    policy: str = "nano",
    turns: int = 4,
    judge: str | None = None,
    out: str | Path | None = None,
    on_turn: OnTurn | None = None,
) -> Redrawn:
    """Redraw a PNG, JPEG or WebP file as code.

    policy: `nano`, a folder, a hub id, or `http://host/v1#model` of any OpenAI-compatible server. turns: T_max. judge:
    the URL of the judge that gives the feedback; None uses the embedded judge. out: a folder for `Redrawn.save`. Raises
    UserError if the file is not a picture, or if the policy or the judge cannot be reached.
    """
    if turns < 1:
        raise UserError(f"turns is {turns}: give 1 or more")
    heard = feedback_of(policy) if turns > 1 else Feedback()
    settings, task = profile_for(policy), _domain(domain)
    owned = getattr(settings.canvas, task.name)
    try:
        target, _ = as_png(Path(picture), owned)
    except Skipped as reason:
        raise UserError(f"{picture}: {reason}") from None
    limits = Limits(canvas=owned or _canvas(task, target))
    prompt = load_prompt(task, "tools" if turns > 1 else "direct", settings.policy.prompts, turns).text
    model = _policy(policy, settings.policy.dtype, longest_reply(settings))
    with Renderer(task.name, 1, limits) as renderer, _judge(judge) as judging:
        tools = Tools({task.name: renderer}, judging, threads=1, bare_score=heard.bare_score)
        try:
            episode = Episode(Path(picture).name, task, target, tools, turns, heard.hint)
            told = _Told(episode, model, on_turn)
            image = Image.open(io.BytesIO(target)).convert("RGB")
            played = _read_freely(run_episode(told.generate, prompt, image, episode), episode)
        finally:
            tools.close()
    told.turn(played.turns[-1], played)
    done = Redrawn(played, target, _taken(played))
    if out is not None:
        done.save(Path(out))
    return done


_domain = domain  # an argument of `redraw` hides the name


def _canvas(task: Domain, target: bytes) -> Canvas | None:
    """The canvas for a target; None for code that sets its own size.

    For other code it has the target's width and height, and grows with the page.
    """
    if task.own_size:
        return None
    width, height = Image.open(io.BytesIO(target)).size
    return Canvas(width, height, full_page=True)


def _policy(name: str, dtype: str, max_new_tokens: int) -> Any:
    from rrvf.policies.address import load_policy

    return load_policy(name, dtype, max_new_tokens)


@contextmanager
def _judge(url: str | None) -> Iterator[JudgeLike]:
    from rrvf.judge.client import JudgeClient
    from rrvf.judge.local import EmbeddedJudge

    if url is None:
        yield EmbeddedJudge()
        return
    with JudgeClient(url) as client:
        client.check()
        yield client


class _Told:
    """Calls the policy, and reports each turn once its feedback is known."""

    def __init__(self, episode: Episode, policy: Any, on_turn: OnTurn | None) -> None:
        self._episode, self._policy, self._on_turn = episode, policy, on_turn
        self._number = 0

    def generate(self, messages: list[dict]) -> str:
        if self._episode.turns:
            self.turn(self._episode.turns[-1])
        (reply,) = self._policy.chat([messages])
        if isinstance(reply, NoReply):
            if not self._episode.turns:
                raise UserError(f"the policy gave no reply: {reply.reason}")
            return ""  # the drafts count
        return str(reply)

    def turn(self, turn: Turn, finished: Trajectory | None = None) -> None:
        self._number += 1
        if self._on_turn:
            self._on_turn(self._number, turn, finished)


def _read_freely(trajectory: Trajectory, episode: Episode) -> Trajectory:
    """The episode, with the code of a last turn without `<answer>`: fenced, or bare if it gives a picture."""
    last = trajectory.turns[-1]
    if last.action == "answer" or not last.text.strip():
        return trajectory
    code = read_reply(last.text, episode.domain, lambda text: code_in(text, episode.domain)).code
    if not code or not code.strip():
        return trajectory
    render, judgement = episode.tools.final(code, episode.target_png, episode.domain)
    if render.status == "render_error" and "```" not in last.text:
        return trajectory  # the text was prose
    read = last.model_copy(update={"action": "answer", "code": code})
    final = {"final_code": code, "final_render": render, "judgement": judgement}
    return trajectory.model_copy(update={"turns": (*trajectory.turns[:-1], read), **final})


def _taken(trajectory: Trajectory) -> int | None:
    """The number of the turn whose code is taken: the answer's, else that of the closest draft with a picture."""
    if trajectory.final_render is not None and trajectory.final_render.ok:
        return len(trajectory.turns)
    drafts = [(i, t.judgement) for i, t in enumerate(trajectory.turns, 1) if t.render is not None and t.render.ok]
    # Of equal scores the later draft wins, because it had more feedback. Without scores this is the last draft.
    return max(drafts, key=lambda d: (d[1].score or 0.0 if d[1] else 0.0, d[0]), default=(None, None))[0]


def told(number: int, turn: Turn, finished: Trajectory | None) -> str:
    """A turn as text for the terminal: action, render, similarity and feedback."""
    answer = finished if turn.action == "answer" else None
    render, judgement = (answer.final_render, answer.judgement) if answer else (turn.render, turn.judgement)
    words = [{"tool_call": "draft", "answer": "answer", "none": "no action"}[turn.action]]
    if render is not None:
        words.append(
            f"{render.width} x {render.height} pixels"
            if render.ok
            else f"{render.reason or render.status}: {render.message}"
        )
    if judgement is not None and judgement.score is not None:
        words.append(f"similarity {judgement.score:.3f}")
    back = turn.feedback or turn.problem or (judgement.feedback if judgement is not None and judgement.ok else "")
    return f"turn {number}: {', '.join(words)}" + "".join(f"\n    {line}" for line in visible(back).splitlines())

"""What the nano policy is pre-trained on: generated pictures with the turns that an able policy would write.

A transcript is a list of segments. First turns are careless (`careless`), later ones edit them (`edits`). A first turn
that is edited carries no loss: it is the half-trained policy's own, with the faults of its reading too.
"""

from __future__ import annotations

import io
import pkgutil
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from rrvf.data.generated import charts, pages
from rrvf.data.seeded import PRETRAINED
from rrvf.domains import CHART, DOMAINS, NANO_CANVAS
from rrvf.judge.embedded.colour import NAMES
from rrvf.judge.embedded.feedback import HEAD, words
from rrvf.nano.edits import Edit, edited
from rrvf.nano.marks import reading
from rrvf.protocol import answer_text, load_prompt, parse_turn, sanitize, tool_call_text
from rrvf.records import Render, RenderReason
from rrvf.rollout import LAST_TURN_HINT

#: What a turn may take; the longest program of the corpora has fewer.
MAX_TURN_TOKENS = 320


@dataclass(frozen=True)
class Segment:
    """A piece of a transcript: an assistant's turn or what stands between two. `learn`: it carries loss."""

    text: str
    learn: bool


@dataclass(frozen=True)
class Try:
    """A call as it was written, its code and what came back. `learn`: it carries loss."""

    text: str
    code: str
    feedback: str
    learn: bool


def think(domain: str, spec, positions: np.ndarray | None = None) -> str:
    """The transcription of a picture in `<think>`, written before the program.

    The kind, the title, and of a chart with axes the place and the value of each mark (`marks.reading`). The program
    copies the marks that the thought lists; counting marks was not learned.
    """
    return pkgutil.resolve_name(DOMAINS[domain].thought_at)(spec, positions)


def chart_thought(spec: charts.Spec, positions: np.ndarray) -> str:
    """A chart in a line: its kind, its title, its marks and values."""
    return f"{spec.kind}; {spec.title or 'no title'};{reading(spec, positions)}"


def page_thought(spec: pages.Spec, positions: None) -> str:
    """A page in a line: its body, its brand, its title."""
    return f"{spec.body}; {spec.brand if spec.header else 'no header'}; {spec.title}"


def opening(domain: str, mode: str) -> Segment:
    """What stands between the picture and the policy's first word, as the chat template writes it."""
    prompt = load_prompt(DOMAINS[domain], mode, "nano")
    return Segment(f"<|vision_end|>{prompt.text}<|im_end|>\n<|im_start|>assistant\n", False)


def reply(feedback: str) -> Segment:
    """A tool's reply and the start of the next turn, as the chat template writes them."""
    text = f"\n<|im_start|>user\n<tool_response>{feedback}</tool_response><|im_end|>\n<|im_start|>assistant\n"
    return Segment(text, False)


def turn(text: str, learn: bool = True) -> Segment:
    """An assistant's turn with its end."""
    return Segment(f"{text}<|im_end|>", learn)


def direct(domain: str, code: str, thought: str) -> list[Segment]:
    """Picture, direct prompt, answer."""
    return [opening(domain, "direct"), turn(answer_text(code, DOMAINS[domain], thought))]


def first_call(domain: str, code: str, thought: str, at_once: bool = False) -> list[Segment]:
    """Picture, tools prompt, a first call; or, `at_once`, the answer without any call."""
    write = answer_text if at_once else tool_call_text
    return [opening(domain, "tools"), turn(write(code, DOMAINS[domain], thought))]


def read_aloud(thought: str) -> list[Segment]:
    """Picture of a chart, direct prompt, and an answer's beginning."""
    return [opening(CHART.name, "direct"), Segment(f"<think>{thought}</think>", True)]


def vocabulary() -> list[str]:
    """Tool responses to train the tokenizer on: the judge's words, reasons of failure, the hint of the last turn."""
    phrases = [*sorted(words()), *sorted(NAMES), *get_args(RenderReason)]
    return [f"{HEAD}\n-**Text**- the {w}, yours {w}.\n---Error: {w}: {LAST_TURN_HINT}" for w in phrases] * 20


def repaired(domain: str, thought: str, tries: list[Try], code: str) -> list[Segment]:
    """Calls with what came back, then the answer with `code`.

    Only what `edits` wrote carries loss, not a first draft.
    """
    d = DOMAINS[domain]
    segments = [opening(domain, "tools")]
    for a_try in tries:
        segments += [turn(a_try.text, a_try.learn), reply(a_try.feedback)]
    return [*segments, turn(answer_text(code, d, thought))]


def render_pictures(
    domain: str, first: int, count: int, path: Path, render_many: Callable[[list[str]], list[Render]], block: int = 100
) -> np.ndarray:
    """Pictures of the generated programs `first` to `first + count`, memory-mapped at `path`.

    uint8 [count, 224, 280, 3]. A file that is there is taken as it is; a killed run begins anew (the file gets its name
    last).
    """
    if not path.exists():
        shape = (count, NANO_CANVAS.height, NANO_CANVAS.width, 3)
        partial = path.with_suffix(".partial")
        pictures = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        for start in range(0, count, block):
            size = min(block, count - start)
            codes = [PRETRAINED[domain].generate(first + start + i) for i in range(size)]
            for i, render in enumerate(render_many(codes)):
                if not render.ok:
                    raise RuntimeError(f"generated {domain} {first + start + i} does not render: {render.message}")
                pictures[start + i] = decode(render.png)
        pictures.flush()
        partial.rename(path)
    return np.load(path, mmap_mode="r")


def decode(png: bytes) -> np.ndarray:
    """PNG bytes as uint8 [H, W, 3]."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def repairs(
    domain: str,
    pictures: np.ndarray,
    thoughts: Callable[[int], str],
    drafts: Callable[[np.ndarray], list[str]],
    render_many: Callable[[list[str]], list[Render]],
    judge: Callable[[np.ndarray, np.ndarray, str], str],
    block: int = 40,
) -> Iterator[tuple[int, list[Segment]]]:
    """Multi-turn transcripts with the policy's own first calls, the real renderer's errors and the real judge's words.

    pictures[i] is that of seed i, thoughts(i) what is read aloud of it; `drafts` writes first turns. Each draft is
    edited as its feedback says; in two fifths of the transcripts that is a second call, and the answer edits it once
    more. Gives (index, segments); a picture whose first turn holds no call is left out.
    """
    d = DOMAINS[domain]
    for start in range(0, len(pictures), block):
        some = range(start, min(start + block, len(pictures)))
        written = dict(zip(some, drafts(pictures[some]), strict=True))
        codes = {i: action.code for i, text in written.items() if (action := parse_turn(text, d)).kind == "tool_call"}
        tries: dict[int, list[Try]] = {}
        for learn in (False, True):
            for i, render in zip(codes, render_many(list(codes.values())), strict=True):
                words = feedback(domain, pictures[i], render, judge)
                tries.setdefault(i, []).append(Try(written[i], codes[i], words, learn))
            again = {i: _edit(domain, i, tries[i][-1]) for i in codes if random.Random(f"again {i}").random() < 0.4}
            codes = {i: edit.code for i, edit in again.items()}
            written = {i: tool_call_text(edit.code, d, edit.thought or thoughts(i)) for i, edit in again.items()}
        for i, (*before, last) in tries.items():
            answer = _edit(domain, i, last)
            if random.Random(f"hint {i}").random() < 0.5:
                last = replace(last, feedback=last.feedback + LAST_TURN_HINT)
            yield i, repaired(domain, answer.thought or thoughts(i), [*before, last], answer.code)


def _edit(domain: str, seed: int, a_try: Try) -> Edit:
    return edited(DOMAINS[domain], PRETRAINED[domain].spec(seed), a_try.code, a_try.feedback)


def feedback(domain: str, target: np.ndarray, render: Render, judge: Callable) -> str:
    """What `rrvf.rollout.Tools.draft` would say of this render."""
    if not render.ok:
        return sanitize(f"---Error: {render.reason}: {render.message}")
    return sanitize(judge(target, decode(render.png), domain))

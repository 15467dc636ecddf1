"""What the nano policy is pre-trained on: generated pictures with the turns that an able policy would write.

A transcript is a list of segments; only what a good policy says carries loss. A first turn that is repaired carries none:
it is the half-trained policy's own, with the faults that it makes by itself, and it must not learn to make them.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from rrvf.data.seeded import PRETRAINED
from rrvf.domains import DOMAINS, NANO_CANVAS
from rrvf.judge.embedded.colour import NAMES
from rrvf.judge.embedded.feedback import HEAD, words
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


def think(domain: str, spec, positions: np.ndarray | None = None) -> str:
    """What stands in `<think>`, read aloud before the program is begun: the kind, the title, and of a chart with axes where each
    mark stands and its value (`marks.reading`). A mark that was pointed at can be looked up; to count marks was not learned.
    """
    if domain == "web":
        return f"{spec.body}; {spec.brand if spec.header else 'no header'}; {spec.title}"
    return f"{spec.kind}; {spec.title or 'no title'};{reading(spec, positions)}"


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
    return [opening("chart", "direct"), Segment(f"<think>{thought}</think>", True)]


def vocabulary() -> list[str]:
    """Texts that hold what may come back from a tool, for the tokenizer: the judge's words, reasons, the hint."""
    phrases = [*sorted(words()), *sorted(NAMES), *get_args(RenderReason)]
    return [f"{HEAD}\n-**Text**- the {w}, yours {w}.\n---Error: {w}: {LAST_TURN_HINT}" for w in phrases] * 20


def repair(
    domain: str, code: str, thought: str, tries: list[tuple[str, str]], again: str | None = None
) -> list[Segment]:
    """Calls as they were written (`tries`: text and real feedback), then the answer; or a right call before that.

    `again` is the feedback to the right call. The tries carry no loss: the policy must not learn to make them.
    """
    d = DOMAINS[domain]
    segments = [opening(domain, "tools")]
    for draft, feedback in tries:
        segments += [turn(draft, learn=False), reply(feedback)]
    if again is not None:
        segments += [turn(tool_call_text(code, d, thought)), reply(again)]
    return [*segments, turn(answer_text(code, d, thought))]


def render_pictures(
    domain: str, first: int, count: int, path: Path, render_many: Callable[[list[str]], list[Render]], block: int = 100
) -> np.ndarray:
    """Pictures of the generated programs `first` to `first + count`, uint8 [count, 224, 280, 3], memory-mapped at `path`.

    A file that is there is taken as it is; a killed run begins anew (the file gets its name last).
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
    """Multi-turn transcripts with the policy's own calls, the real renderer's errors and the real judge's words.

    pictures[i] is that of seed i, thoughts(i) what is read aloud of it; `drafts` writes first turns. In a third of the
    transcripts two stand one after the other. Gives (index, segments); a picture whose turns hold no call is left out.
    """
    for start in range(0, len(pictures), block):
        drawn = {i: random.Random(f"repair {domain} {i}") for i in range(start, min(start + block, len(pictures)))}
        tries: dict[int, list[tuple[str, str]]] = {i: [] for i in drawn}
        for some in (list(drawn), [i for i, rng in drawn.items() if rng.random() < 1 / 3]):
            turns = drafts(pictures[some]) if some else []
            actions = [parse_turn(t, DOMAINS[domain]) for t in turns]
            renders = iter(render_many([a.code for a in actions if a.kind == "tool_call"]))
            for i, text, action in zip(some, turns, actions, strict=True):
                if action.kind == "tool_call":
                    tries[i].append((text, feedback(domain, pictures[i], next(renders), judge)))
        for i, rng in drawn.items():
            again = judge(pictures[i], pictures[i], domain) if rng.random() < 0.3 else None
            calls, hinted = tries[i], rng.random() < 0.5
            if hinted and again:
                again += LAST_TURN_HINT
            elif hinted and calls:
                calls[-1] = (calls[-1][0], calls[-1][1] + LAST_TURN_HINT)
            if calls:
                yield i, repair(domain, PRETRAINED[domain].generate(i), thoughts(i), calls, again)


def feedback(domain: str, target: np.ndarray, render: Render, judge: Callable) -> str:
    """What `rrvf.rollout.Tools.draft` would say of this render."""
    if not render.ok:
        return sanitize(f"---Error: {render.reason}: {render.message}")
    return sanitize(judge(target, decode(render.png), domain))

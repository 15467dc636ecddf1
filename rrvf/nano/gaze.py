"""Where the language half looks while it reads a picture aloud, and while it copies what it read into the program.

A few heads are taught which tokens to attend to:

- in a strip of text: the token before a word attends to the word's start, the word to its end
- in `<think>`: a mark's letter and digits attend to the visual token with that mark, the token before a letter to the
  next mark
- in the program: a number attends to its digits in `<think>`, a colour to its series' first mark, a y label to the left
  edge

Left to itself the small model did not find this in 300 steps (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import eager_attention_forward

from rrvf.nano.marks import patch

Kind = Literal["mark", "next", "copy", "paint", "upright", "word", "ending"]
#: The heads that are told, as (layer, head), some of them of two kinds; a smaller model lacks some.
HEADS: dict[Kind, tuple[tuple[int, int], ...]] = {
    "mark": ((1, 0), (1, 1), (2, 0), (2, 1)),
    "next": ((1, 2), (2, 2)),
    "copy": ((2, 3), (3, 0)),
    "paint": ((1, 3), (2, 4), (3, 1)),
    "upright": ((1, 4), (2, 5), (3, 2)),
    "word": ((1, 5), (2, 4), (3, 3)),
    "ending": ((0, 0), (1, 0)),
}
#: The visual tokens in one of which a y label has its middle, in pixels from the left and from the top.
UPRIGHT = ((0, 98), (0, 126))


@dataclass(frozen=True)
class Look:
    """Token number `at` of an example should look at `to`: a visual token, or (kind "copy") a token of the example."""

    kind: Kind
    at: int
    to: int


def looks(tokens: list[str], positions: np.ndarray) -> Iterator[Look]:
    """All looks of an example about a chart, given its tokens as text and the positions of the chart's marks."""
    patches = [patch(*where) for where in positions]
    for at in (i for i, token in enumerate(tokens) if token == "</think>"):
        for (letter, *digits), seen in zip(_read(tokens, at), patches, strict=False):
            yield Look("next", letter - 1, seen)
            yield from (Look("mark", i, seen) for i in (letter, *digits))
    read: list[list[int]] = []
    listed: dict[str, list[list[int]]] = {}
    firsts: list[int] = []
    painted: list[int] = []
    seconds = 0
    for at, token in enumerate(tokens[1:], 1):
        if token == "</think>":
            if read := _read(tokens, at):
                seconds = next((k for k, (letter, *_) in enumerate(read) if tokens[letter].isupper()), len(read))
                firsts = [patches[k] for k in (0, seconds) if k < len(read)]
            painted = list(firsts)
        if tokens[at - 1] == "color" and painted:
            seen = painted.pop(0)
            yield Look("paint", at, seen)
            if tokens[at + 1] == "tab:":  # the colour's name goes on
                yield Look("paint", at + 1, seen)
        if tokens[at - 1].endswith("ylabel"):
            yield from (Look("upright", at, patch(*where)) for where in UPRIGHT)
        if token == "Ġ=Ġ[" and (name := tokens[at - 1]) in ("x", "y", "z", "e"):
            if read and name in ("y", "z"):
                yield from _copies(tokens, at, read[seconds:] if name == "z" else read[:seconds])
            if not read:  # a turn that reads nothing again keeps the lists of the turn before
                yield from _copies(tokens, at, listed.get(name, []))
            listed[name] = _listed(tokens, at)


def words(offsets: list[tuple[int, int]], text: str, columns: list[int], first: int) -> Iterator[Look]:
    """All looks of a strip of text: what stands before a token looks at where it begins, the token at where it ends.

    offsets: of the tokens, in characters of the text. columns: the visual token of each character. first: the first
    token's number.
    """
    for at, (start, end) in enumerate(offsets, first):
        begins = next((i for i in range(start, end) if text[i] != " "), None)
        if begins is not None:
            yield Look("word", at - 1, columns[begins])
            yield Look("ending", at, columns[end - 1])


def _read(tokens: list[str], end: int) -> list[list[int]]:
    """The letters before `end`, each with its digits, by their numbers."""
    first = end
    while first and len(tokens[first - 1]) == 1 and tokens[first - 1].isalnum():
        first -= 1
    read: list[list[int]] = []
    for i in range(first, end):
        if tokens[i].isalpha():
            read.append([i])
        elif read:
            read[-1].append(i)
    return read


def _listed(tokens: list[str], bracket: int) -> list[list[int]]:
    """The numbers of the list that begins at `bracket`: what stands before each, and its digits."""
    numbers = [[bracket]]
    for at, token in enumerate(tokens[bracket + 1 :], bracket + 1):
        if token.isdigit():
            numbers[-1].append(at)
        elif token == ",Ġ":
            numbers.append([at])
        else:
            break
    return numbers


def _copies(tokens: list[str], at: int, source: list[list[int]]) -> Iterator[Look]:
    """From the bracket at `at` on: each digit, and what follows a number, looks at its source from the token before."""
    for _, *digits in source:
        for digit in digits:
            if tokens[at + 1] != tokens[digit]:
                return
            yield Look("copy", at, digit)
            at += 1
        if not digits:  # a draft of the policy's own may point and say nothing
            return
        yield Look("copy", at, digits[-1] + 1)
        at += 1


class Gaze:
    """The attention of a language half's last forward pass, which it keeps from now on; for training only."""

    def __init__(self, language_model: torch.nn.Module) -> None:
        ALL_ATTENTION_FUNCTIONS.register("kept", _kept)
        ALL_MASK_ATTENTION_FUNCTIONS.register("kept", eager_mask)
        language_model.config._attn_implementation = "kept"
        self.layers, heads = language_model.layers, language_model.config.num_attention_heads
        self.heads = {kind: [(n, head) for n, head in told if head < heads] for kind, told in HEADS.items()}

    def losses(self, wanted: dict[Kind, torch.Tensor]) -> dict[str, torch.Tensor]:
        """wanted: int64 [n, 3], row, place and place looked at.

        Gives the mean of -log(attention there), summed over the kinds, as "gaze", and by kind the mean attention.
        """
        total, shares = torch.zeros((), device=self.layers[0].self_attn.q_proj.weight.device), {}
        for kind, (row, at, to) in ((k, w.T) for k, w in wanted.items() if len(w)):
            kept = [self.layers[n].self_attn.kept[row, head, at, to].float() for n, head in self.heads[kind]]
            seen = torch.stack(kept)
            total = total - (seen + 1e-6).log().mean()
            shares[kind] = seen.detach().mean()
        for layer in self.layers:
            layer.self_attn.kept = None  # a model that holds a graph cannot be copied
        return {"gaze": total, **shares}


def _kept(module: torch.nn.Module, *arguments, **named):
    # A forward hook would do, but a compiled layer does not run those of its parts.
    out = eager_attention_forward(module, *arguments, **named)
    module.kept = out[1]
    return out

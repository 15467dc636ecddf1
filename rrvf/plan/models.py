"""The sizes of the models that the profiles name: parameters, and bytes of the cache per token."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rrvf.errors import UserError
from rrvf.policies.names import hub_parts

#: The vision tower, the same in all sizes of Qwen2.5-VL (config.json: vision_config).
VISION_HIDDEN, VISION_INTERMEDIATE, VISION_LAYERS = 1_280, 3_420, 32
#: A patch has 14 x 14 pixels, three colours and two frames. Four patches make one token of the language model.
PATCH_VALUES, PATCHES_A_TOKEN = 1_176, 4
HEAD = 128


@dataclass(frozen=True)
class Shape:
    """The sizes of a Qwen2.5-VL model, from its config.json. tied: output and embedding share their weights."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int
    tied: bool = False

    @property
    def adapted(self) -> int:
        """Number of weights in the linear layers that LoRA's `all-linear` adapts: all but embedding and output."""
        return sum(inputs * outputs for inputs, outputs in self._linear())

    @property
    def largest(self) -> int:
        """Number of weights in the largest of these layers."""
        return max(inputs * outputs for inputs, outputs in self._linear())

    @property
    def parameters(self) -> int:
        """Number of all weights, without norms and biases (about a thousandth)."""
        embeddings = (1 if self.tied else 2) * self.vocabulary * self.hidden
        return self.adapted + embeddings + PATCH_VALUES * VISION_HIDDEN

    def adapters(self, rank: int) -> int:
        """Number of weights in LoRA adapters of this rank.

        rank x (inputs + outputs) for each linear layer (arXiv 2106.09685, section 4.1).
        """
        return sum(rank * (inputs + outputs) for inputs, outputs in self._linear())

    @property
    def cache_bytes(self) -> int:
        """Bytes of the keys and values of one token, in bfloat16."""
        return 2 * self.layers * self.key_heads * HEAD * 2

    def _linear(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each linear layer in the language model and in the vision tower with its merger."""
        h, keys, merged = self.hidden, self.key_heads * HEAD, PATCHES_A_TOKEN * VISION_HIDDEN
        block = [(h, self.heads * HEAD), (h, keys), (h, keys), (self.heads * HEAD, h)]
        block += [(h, self.intermediate)] * 2 + [(self.intermediate, h)]
        seen = [(VISION_HIDDEN, 3 * VISION_HIDDEN), (VISION_HIDDEN, VISION_HIDDEN)]
        seen += [(VISION_HIDDEN, VISION_INTERMEDIATE)] * 2 + [(VISION_INTERMEDIATE, VISION_HIDDEN)]
        return block * self.layers + seen * VISION_LAYERS + [(merged, merged), (merged, h)]


#: From the released config.json files.
SHAPES = {
    "Qwen/Qwen2.5-VL-3B-Instruct": Shape(2_048, 11_008, 36, 16, 2, 151_936, tied=True),
    "Qwen/Qwen2.5-VL-7B-Instruct": Shape(3_584, 18_944, 28, 28, 4, 152_064),
    "Qwen/Qwen2.5-VL-32B-Instruct": Shape(5_120, 27_648, 64, 40, 8, 152_064),
    "Qwen/Qwen2.5-VL-72B-Instruct": Shape(8_192, 29_568, 80, 64, 8, 152_064),
}


def shape(model: str) -> Shape:
    """The sizes of a model, by a hub id in `SHAPES` or a folder with a config.json. Raises UserError for any other."""
    hub_id, _ = hub_parts(model)
    if hub_id in SHAPES:
        return SHAPES[hub_id]
    path = Path(model) / "config.json"
    try:
        config = json.loads(path.read_text())
        text = config.get("text_config", config)
        names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
        tied = config.get("tie_word_embeddings", text.get("tie_word_embeddings", False))
        return Shape(*(int(text[name]) for name in (*names, "vocab_size")), tied=bool(tied))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        known = ", ".join(SHAPES)
        raise UserError(
            f"the sizes of {model} are not known: name one of {known}, or a folder with its config.json"
        ) from None

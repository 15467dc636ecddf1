"""What a judge is asked, as files named `DOMAIN_MODE.txt`, and the rubric that all of them share.

The first line of every prompt is `RRVF judge: DOMAIN MODE`; the embedded server knows by it what it is asked for.
The paper's own prompts are unpublished (D9): these are ours, and every result carries their hash.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from rrvf.domains import DOMAINS

Mode = Literal["feedback", "score"]
_FOLDER = Path(__file__).parent
HEADER = re.compile(rf"^RRVF judge: ({'|'.join(DOMAINS)}) (feedback|score)$", re.MULTILINE)

#: The 100 points of the rubric.
POINTS = {"layout": 15, "type": 15, "text": 20, "colour": 20, "data": 30}

#: What a score reply must look like; sent as `response_format` and checked again on arrival. Whole numbers, as the
#: prompts ask: a grammar of free decimals lets a weak model write digits until its tokens run out (seen with vLLM).
SCORE_SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "integer", "minimum": 0, "maximum": top} for name, top in POINTS.items()}
    | {"score": {"type": "integer", "minimum": 0, "maximum": 100}},
    "required": [*POINTS, "score"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class JudgePrompt:
    """The words that stand before the two pictures, and the hash of them and of the form that the reply must have."""

    text: str
    sha256: str


@cache
def load_judge_prompt(domain: str, mode: Mode) -> JudgePrompt:
    """The prompt for one domain and mode."""
    text = (_FOLDER / f"{domain}_{mode}.txt").read_text().strip()
    form = json.dumps(SCORE_SCHEMA) if mode == "score" else ""
    return JudgePrompt(text, hashlib.sha256((text + form).encode()).hexdigest())

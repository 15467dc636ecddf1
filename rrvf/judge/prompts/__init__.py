"""The judge's prompts, as files named `DOMAIN_MODE.txt`, and the rubric that they share.

The first line of every prompt is `RRVF judge: DOMAIN MODE`. It tells the embedded server what is asked. The paper's
prompts are unpublished (D9), so these are ours. Every result carries their hash.
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

#: The JSON schema of a score reply. It is sent as `response_format`, and the reply is checked again on arrival. Numbers
#: are whole, as the prompts ask: with decimals a weak model can write digits until its tokens run out (seen with vLLM).
SCORE_SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "integer", "minimum": 0, "maximum": top} for name, top in POINTS.items()}
    | {"score": {"type": "integer", "minimum": 0, "maximum": 100}},
    "required": [*POINTS, "score"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class JudgePrompt:
    """The text before the two pictures, and a hash of the text and of the reply's schema."""

    text: str
    sha256: str


@cache
def load_judge_prompt(domain: str, mode: Mode) -> JudgePrompt:
    """The prompt of one domain and mode."""
    text = (_FOLDER / f"{domain}_{mode}.txt").read_text().strip()
    form = json.dumps(SCORE_SCHEMA) if mode == "score" else ""
    return JudgePrompt(text, hashlib.sha256((text + form).encode()).hexdigest())

"""What calls cost: the price table with its date (`reproduce/prices.yaml`), and an estimate before a run is paid for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import yaml

from rrvf.profile import PROFILES
from rrvf.records import Usage

PRICES = PROFILES.parent / "prices.yaml"
#: Characters of a token of English or code, about.
_CHARACTERS = 4
#: Tokens of a reply of a model that the table does not know.
_WRITTEN = 900
#: Tokens a second that a hosted model writes, and seconds before the first: orders of magnitude, for the time.
_SPEED, _WAIT_S = 60.0, 2.0


@cache
def price_table() -> dict:
    """`{"date", "models": {name: {"input", "output", "written"}}}`, dollars per million tokens."""
    return yaml.safe_load(PRICES.read_text(encoding="utf-8"))


def price(usage: Usage) -> dict:
    """`{"price_usd", "prices_of"}` of calls that models of the table answered; empty for others."""
    models = price_table()["models"]
    known = next((models[name] for name in usage.models if name in models), None)
    if known is None:
        return {}
    dollars = (usage.input_tokens * known["input"] + usage.output_tokens * known["output"]) / 1e6
    return {"price_usd": round(dollars, 4), "prices_of": str(price_table()["date"])}


def picture_tokens(width: int, height: int) -> int:
    """What a picture costs to look at: tiles of 512 pixels after it is brought to 768 on its short side, as OpenAI counts.

    Other makers count within a factor of two of it.
    """
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    return 85 + 170 * math.ceil(width * scale / 512) * math.ceil(height * scale / 512)


@dataclass(frozen=True)
class Asked:
    """Calls of one model. words: characters of each question; sizes: of the pictures of each; in_flight: calls at once."""

    who: str
    model: str
    words: int
    sizes: tuple[tuple[tuple[int, int], ...], ...]
    in_flight: int
    written: int | None = None

    def usage(self) -> Usage:
        """The tokens of all calls."""
        pictures = sum(picture_tokens(*size) for sizes in self.sizes for size in sizes)
        calls, known = len(self.sizes), price_table()["models"].get(self.model, {})
        each = self.written or known.get("written", _WRITTEN)
        asked = pictures + calls * self.words // _CHARACTERS
        return Usage(calls=calls, input_tokens=asked, output_tokens=calls * each, models=(self.model,))

    def seconds(self) -> float:
        """Wall time with `in_flight` calls at once."""
        usage = self.usage()
        return (usage.calls * _WAIT_S + usage.output_tokens / _SPEED) / self.in_flight


def estimate(parts: Iterable[Asked]) -> str:
    """Calls, tokens, price and time, a line a model, and the sum; stages run side by side, so the time is the longest's."""
    lines, total, times = [], 0.0, [0.0]
    for part in parts:
        usage, dollars = part.usage(), price(part.usage()).get("price_usd")
        total += dollars or 0.0
        times.append(part.seconds())
        cost = f"${dollars:.2f}" if dollars is not None else "no price known"
        lines.append(
            f"{part.who}: {part.model}, {usage.calls} calls, {usage.input_tokens:,} tokens in, about {usage.output_tokens:,} out, "
            f"{cost}, {_time(part.seconds())}"
        )
    date = price_table()["date"]
    return "\n".join(
        [*lines, f"in all about ${total:.2f} (prices of {date}) and {_time(max(times))}; nothing was asked"]
    )


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(1, round(seconds / 60))} min"

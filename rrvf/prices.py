"""The price of calls: a table of dated prices (`reproduce/prices.yaml`), and an estimate before a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import yaml

from rrvf.places import SHIPPED
from rrvf.records import Usage

PRICES = SHIPPED / "prices.yaml"
#: About how many characters a token of English or code has.
_CHARACTERS = 4
#: Tokens of one reply of a model that the table does not list.
_WRITTEN = 900
#: Tokens per second that a hosted model writes, and seconds before the first token. Orders of magnitude, for the time.
_SPEED, _WAIT_S = 60.0, 2.0


@cache
def price_table() -> dict[str, dict]:
    """`{model: {"input", "output", "date", "source", "written"}}`; prices in dollars per million tokens."""
    return yaml.safe_load(PRICES.read_text(encoding="utf-8"))


def price(usage: Usage) -> dict:
    """`{"price_usd", "prices_of"}` of calls that one model of the table answered; empty for others.

    Calls that several models answered have no price, since their tokens are summed and their prices differ.
    """
    known = price_table().get(usage.models[0]) if len(usage.models) == 1 else None
    if known is None:
        return {}
    dollars = (usage.input_tokens * known["input"] + usage.output_tokens * known["output"]) / 1e6
    return {"price_usd": round(dollars, 4), "prices_of": str(known["date"])}


def picture_tokens(width: int, height: int) -> int:
    """The input tokens of a picture, as OpenAI counts: tiles of 512 pixels after scaling the short side down to 768.

    Other providers count within a factor of two of it.
    """
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    return 85 + 170 * math.ceil(width * scale / 512) * math.ceil(height * scale / 512)


def written_by(model: str) -> int:
    """About how many tokens one reply of a model has."""
    written: int = price_table().get(model, {}).get("written", _WRITTEN)
    return written


def characters(tokens: int) -> int:
    """About how many characters a text of `tokens` tokens has."""
    return tokens * _CHARACTERS


@dataclass(frozen=True)
class Asked:
    """Planned calls of one model.

    who: the role in the estimate. words: characters of each question. sizes: for each call, width and height of its
    pictures. in_flight: calls at once. written: tokens of each reply; None takes the table's (`written_by`).
    """

    who: str
    model: str
    words: int
    sizes: tuple[tuple[tuple[int, int], ...], ...]
    in_flight: int
    written: int | None = None

    def usage(self) -> Usage:
        """The tokens of all calls."""
        pictures = sum(picture_tokens(*size) for sizes in self.sizes for size in sizes)
        calls, each = len(self.sizes), self.written or written_by(self.model)
        asked = pictures + calls * self.words // _CHARACTERS
        return Usage(calls=calls, input_tokens=asked, output_tokens=calls * each, models=(self.model,))

    def seconds(self) -> float:
        """Wall time in seconds with `in_flight` calls at once."""
        usage = self.usage()
        return (usage.calls * _WAIT_S + usage.output_tokens / _SPEED) / self.in_flight


def estimate(parts: Iterable[Asked]) -> str:
    """Calls, tokens, price and time: one line per model, and a line with the sum.

    Policy and judge are called in parallel, so the total time is the longest of theirs.
    """
    lines, costs, times = [], [], []
    for part in parts:
        usage, cost = part.usage(), price(part.usage())
        costs.append(cost.get("price_usd"))
        times.append(part.seconds())
        told = f"${cost['price_usd']:.2f} (price of {cost['prices_of']})" if cost else "no price is known"
        lines.append(
            f"{part.who}: {part.model}, {usage.calls} calls, {usage.input_tokens:,} tokens in, about "
            f"{usage.output_tokens:,} out (a guess), {told}, {_time(part.seconds())}"
        )
    if not lines:
        return "no endpoint is asked, so nothing is paid"
    return "\n".join([*lines, f"in all {_sum(costs)} and about {_time(max(times))}; no call was made"])


def _sum(costs: list[float | None]) -> str:
    """The sum of the known prices. It says where a price is unknown, since unknown is not $0."""
    known = [cost for cost in costs if cost is not None]
    if not known:
        return "no price is known"
    return f"about ${sum(known):.2f}" + (", plus calls without a known price" if len(known) < len(costs) else "")


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(1, round(seconds / 60))} min"

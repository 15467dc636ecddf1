"""Print the figures of the nano policy's card on held-out generated charts and pages.

    python -m rrvf.nano.evaluate [--model DIR] [--count 240] [--domains chart web]

Greedy decoding. The pictures' seeds start at 2,000,000, which no training set uses. The seeds of wide charts and long
pages start at 1,500,000, which no set of the nano profile uses either.
"""

from __future__ import annotations

import argparse
import io
import random
import re
import statistics
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from rrvf.data.generated import charts, pages
from rrvf.data.seeded import PRETRAINED
from rrvf.domains import CHART, DOMAINS, NANO_CANVAS, Domain
from rrvf.judge.local import EmbeddedJudge
from rrvf.nano.corpus import MAX_TURN_TOKENS
from rrvf.nano.programs import kind_of, text_of, values_of
from rrvf.policies.local import LocalPolicy
from rrvf.protocol import call_content, first_message, load_prompt, parse_turn
from rrvf.records import Render
from rrvf.render import Limits, Renderer
from rrvf.rollout import Episode, Revision, Tools

FIRST_SEED, RARE_SEED = 2_000_000, 1_500_000
BATCH = 40
#: Kinds of charts whose values `y` can be read off an axis.
READ_KINDS = ("bar", "grouped", "stacked", "barh", "line", "multiline", "area", "step", "stem", "errorbar")
#: Words that no training picture holds.
UNSEEN = (
    "Copper Salmon Bridge Violin Harvest Pepper Rocket Marble Lantern Ferry Walnut Thunder Velvet Biscuit Cactus Dragon"
).split()
#: A draft with this score or more leaves no room for improvement.
ROOM = 0.95


@dataclass(frozen=True)
class Case:
    """A held-out picture with the spec that it was drawn from."""

    spec: charts.Spec | pages.Spec
    png: bytes

    @property
    def picture(self) -> Image.Image:
        """The target in RGB."""
        return Image.open(io.BytesIO(self.png)).convert("RGB")


@dataclass(frozen=True)
class Drawn:
    """The policy's answer to one case.

    code: None if the turn is not complete. score: the embedded judge's, in [0, 1]; None if the code did not run.
    """

    case: Case
    code: str | None
    render: Render | None
    score: float | None

    @property
    def ran(self) -> bool:
        """Whether the code rendered."""
        return self.render is not None and self.render.ok


def held_out(domain: str, count: int) -> list[charts.Spec | pages.Spec]:
    """The specs of the first `count` held-out pictures of a domain, of the kind that is common in pre-training."""
    return [PRETRAINED[domain].common.spec(FIRST_SEED + i) for i in range(count)]


def rare(domain: str, count: int) -> list[charts.Spec | pages.Spec]:
    """The specs of `count` held-out pictures of the kind that is rare in pre-training: wide charts or long pages."""
    return [PRETRAINED[domain].rare.spec(RARE_SEED + i) for i in range(count)]


def cases(domain: str, specs: list[charts.Spec | pages.Spec], renderer: Renderer) -> list[Case]:
    """Render `specs` to cases."""
    renders = renderer.render_many([PRETRAINED[domain].code(s) for s in specs])
    return [Case(s, r.png) for s, r in zip(specs, renders, strict=True)]


def retitled(s: charts.Spec, seed: int) -> charts.Spec:
    """The chart `s` with a title of one or two words that no training picture holds."""
    rng = random.Random(seed)
    return replace(s, title=" ".join(rng.sample(UNSEEN, rng.randint(1, 2))))


def draw(policy: LocalPolicy, domain: Domain, mode: str, some: list[Case], renderer: Renderer) -> list[Drawn]:
    """One greedy turn per case, rendered and scored. The code of a tool call counts like that of an answer."""
    prompt = load_prompt(domain, mode, "nano").text
    replies: list[str] = []
    for start in range(0, len(some), BATCH):
        replies += policy.reply([c.picture for c in some[start : start + BATCH]], prompt)
    codes = [parse_turn(reply, domain).code for reply in replies]
    renders = iter(renderer.render_many([c for c in codes if c]))
    return [_drawn(case, code, next(renders) if code else None, domain) for case, code in zip(some, codes, strict=True)]


def _drawn(case: Case, code: str | None, render: Render | None, domain: Domain) -> Drawn:
    ran = render is not None and render.ok
    score = EmbeddedJudge().score(case.png, render.png, domain.name).score if ran else None
    return Drawn(case, code, render, score)


def chart_figures(drawn: list[Drawn]) -> dict[str, float]:
    """The card's rows for charts. Shares are over the cases that a row is about, similarity over those that ran."""

    def share(right: Iterator[bool]) -> float:
        return statistics.fmean(list(right))

    pairs = [(d.case.spec, d.code or "") for d in drawn]
    coloured = [(s, c) for s, c in pairs if s.kind not in ("pie", "heatmap", "box", "stem")]
    labels = [(s, c, w) for s, c in pairs for w in ("xlabel", "ylabel") if s.kind not in ("pie", "heatmap", "subplots")]
    errors = [
        abs(a - b) / max(abs(b), 1)
        for s, c in pairs
        if s.kind in READ_KINDS and len(values_of(c)) == len(s.values)
        for a, b in zip(values_of(c), s.values, strict=True)
    ]
    read = [(s, c) for s, c in pairs if s.kind in READ_KINDS]
    return {
        "exec rate": share(d.ran for d in drawn),
        "type right": share(kind_of(c) == s.kind for s, c in pairs),
        "title exact": share(text_of(c, "title") == s.title for s, c in pairs if s.title),
        "axis labels exact": share(text_of(c, w) == getattr(s, w) for s, c, w in labels if getattr(s, w)),
        "no axis label where there is none": share(text_of(c, w) is None for s, c, w in labels if not getattr(s, w)),
        "main colour right": share(f"color='{s.colour}'" in c for s, c in coloured),
        "as many values as drawn": share(len(values_of(c)) == len(s.values) for s, c in read),
        "values: median relative error": statistics.median(errors) if errors else float("nan"),
        "similarity given execution": _mean([d.score for d in drawn if d.ran]),
    }


def page_figures(drawn: list[Drawn]) -> dict[str, float]:
    """The card's rows for pages."""
    codes = [(d.case.spec, d.code or "") for d in drawn]
    return {
        "rendered": statistics.fmean(d.ran for d in drawn),
        "title exact": statistics.fmean(f">{s.title}</h2>" in c for s, c in codes),
        "as many cells as drawn": statistics.fmean(_cells(c) == _cells(pages.code(s)) for s, c in codes),
        "header colour right": statistics.fmean(f"background:{s.colour};" in c for s, c in codes if s.header),
        "paper right": statistics.fmean(f"background:{s.paper}'" in c for s, c in codes),
        "similarity given execution": _mean([d.score for d in drawn if d.ran]),
    }


def _cells(code: str) -> int:
    """How many cards, table cells, fields and list items a page has."""
    return len(re.findall(r"<div style='border|<td|<input|<li", code))


def second_turns(policy: LocalPolicy, domain: Domain, some: list[Case], tools: Tools) -> dict[str, float]:
    """The card's rows for second turns, over the cases whose greedy first turn is a tool call.

    The first turn gets real feedback, and the second turn is greedy too. Repair: the draft did not run, the second turn
    does. Refinement: both run, and the second is closer to the target.
    """
    pairs, called = [], _drafted(policy, domain, some, tools)
    for start in range(0, len(called), BATCH):
        block = called[start : start + BATCH]
        for (case, talk), second in zip(block, policy.chat([t for _, t in block]), strict=True):
            pairs.append(
                [_score(parse_turn(t, domain).code, case, domain, tools) for t in (talk[1]["content"], second)]
            )
    room = [(before or 0.0, after or 0.0) for before, after in pairs if (before or 0.0) < ROOM]
    made = [Revision(2, (before is not None, after is not None), (before, after)) for before, after in pairs]
    failed = [m.repaired for m in made if m.repaired is not None]
    ran = [m.refined for m in made if m.refined is not None and m.scores[0] < ROOM]
    return {
        "first turns that call": len(called) / len(some),
        "cases with room": len(room),
        "second turn better": _mean([b > a + 1e-6 for a, b in room]),
        "second turn worse": _mean([b < a - 1e-6 for a, b in room]),
        "drafts that did not run": len(failed),
        "of these repaired": _mean(failed),
        "drafts that ran, with room": len(ran),
        "of these refined": _mean(ran),
    }


def _drafted(policy: LocalPolicy, domain: Domain, some: list[Case], tools: Tools) -> list[tuple[Case, list[dict]]]:
    """The cases whose greedy first turn is a call, each with its messages up to the tool's reply."""
    prompt = load_prompt(domain, "tools", "nano").text
    talks = []
    for start in range(0, len(some), BATCH):
        block = some[start : start + BATCH]
        openings = [first_message(case.picture, prompt) for case in block]
        for case, opening, text in zip(block, openings, policy.chat([[o] for o in openings]), strict=True):
            if (content := call_content(text)) is not None:
                reply = Episode("", domain, case.png, tools, max_turns=3).tool_call(content, text)
                said = {"role": "assistant", "content": text}
                talks.append((case, [opening, said, {"role": "tool", "content": reply}]))
    return talks


def _score(code: str | None, case: Case, domain: Domain, tools: Tools) -> float | None:
    """The similarity of the code's render; None if there is no code or no render."""
    judgement = tools.final(code, case.png, domain)[1] if code else None
    return judgement.score if judgement else None


def _mean(values: list) -> float:
    return float(np.mean(values)) if values else float("nan")


def evaluate(
    model: str = "nano", count: int = 240, domains: Collection[str] = tuple(PRETRAINED)
) -> dict[str, dict[str, float]]:
    """All figures of the card by section and row. Takes minutes on two cores.

    model: `nano` or a folder. count: pictures per section. domains: which of `chart` and `web`.
    """
    policy = LocalPolicy(model, max_new_tokens=MAX_TURN_TOKENS)
    figures: dict[str, dict[str, float]] = {}
    for domain in (DOMAINS[name] for name in domains):
        with Renderer(domain.name, 2, Limits(canvas=NANO_CANVAS)) as renderer:
            specs = held_out(domain.name, count)
            some = cases(domain.name, specs, renderer)
            for which, shown in (("", some), ("rare ", cases(domain.name, rare(domain.name, count), renderer))):
                drawn = draw(policy, domain, "direct", shown, renderer)
                rows = chart_figures(drawn) if domain is CHART else page_figures(drawn)
                figures[f"{which}{domain.name}, direct"] = rows
            if domain is CHART:
                odd = cases(domain.name, [retitled(s, i) for i, s in enumerate(specs)], renderer)
                titles = [
                    text_of(d.code or "", "title") == d.case.spec.title
                    for d in draw(policy, domain, "direct", odd, renderer)
                ]
                figures["chart, titles of words never seen"] = {"title exact": statistics.fmean(titles)}
            tools = Tools({domain.name: renderer}, EmbeddedJudge(), threads=2)
            figures[f"{domain.name}, tools"] = second_turns(policy, domain, some, tools)
            tools.close()
    return figures


def main() -> None:
    """Print the card's tables of one policy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument(
        "--domains", nargs="+", choices=PRETRAINED, default=list(PRETRAINED), help="of a policy without pages: chart"
    )
    options = parser.parse_args()
    for section, rows in evaluate(options.model, options.count, options.domains).items():
        print(f"\n{section}")
        for name, value in rows.items():
            print(f"  {name:<36} {value:.3f}")


if __name__ == "__main__":
    main()

"""Small web pages: header, body (hero, cards, table, form, list or sidebar) and footer; inline styles.

As in `charts`, `spec(seed)` decides what a page shows and `code(spec)` writes it. Attributes use single quotes, which
need no escape inside the JSON of a tool call.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from rrvf.data.generated.words import BRANDS, PAGE_WORDS, PALETTE, SECTIONS

VERSION = 1
#: Number of cells of each body.
CELLS = {"hero": 0, "cards": 2, "table": 6, "form": 2, "list": 3, "sidebar": 1}
SIDEBAR = "float:left;width:80px;height:90px"
PAPERS = ("white", "whitesmoke", "lavender", "beige", "lightcyan")


@dataclass(frozen=True)
class Spec:
    """Everything that a page shows. `header` and `footer` are optional; `centred` centres the body's text.

    cells: the cards, the table cells (three per row), the form fields, the list items, or the sidebar's word.
    """

    body: str
    colour: str
    accent: str
    paper: str
    brand: str
    links: tuple[str, ...]
    title: str
    text: str
    button: str
    cells: tuple[str, ...]
    header: bool
    footer: str | None
    centred: bool


def spec(seed: int) -> Spec:
    """What page number `seed` shows."""
    rng = random.Random(f"page {VERSION} {seed}")
    colour, accent = rng.sample(PALETTE, 2)
    brand = rng.choice(BRANDS)
    body = rng.choice(tuple(CELLS))
    return Spec(
        body=body,
        colour=colour,
        accent=accent,
        paper=rng.choice(PAPERS),
        brand=brand,
        links=tuple(rng.sample(SECTIONS, rng.randint(2, 3))),
        title=" ".join(rng.sample(PAGE_WORDS, 2)).title(),
        text=" ".join(rng.sample(PAGE_WORDS, rng.randint(3, 6))).capitalize(),
        button=rng.choice(PAGE_WORDS).title(),
        cells=cells(rng, 6)[: CELLS[body]],
        header=rng.random() < 0.9,
        footer=f"{rng.randint(2019, 2026)} {brand}" if rng.random() < 0.5 else None,
        centred=rng.random() < 0.4,
    )


def cells(rng: random.Random, count: int) -> tuple[str, ...]:
    """`count` words and numbers for cards, tables, forms and lists."""
    return tuple(rng.choice((rng.choice(PAGE_WORDS).title(), str(rng.randint(1, 99)))) for _ in range(count))


def generate(seed: int) -> str:
    """The HTML of page number `seed`."""
    return code(spec(seed))


def code(s: Spec) -> str:
    """The HTML that shows `s`."""
    lines = ["<!DOCTYPE html>", f"<body style='margin:0;font:12px Arial;background:{s.paper}'>"]
    if s.header:
        links = " ".join(f"<a>{link}</a>" for link in s.links)
        lines.append(f"<div style='background:{s.colour};color:white;padding:8px'><b>{s.brand}</b> {links}</div>")
    align = ";text-align:center" if s.centred else ""
    lines.append(f"<div style='padding:12px{align}'>")
    lines += _body(s)
    lines.append("</div>")
    if s.footer:
        lines.append(f"<div style='background:{s.accent};color:white;padding:4px'>{s.footer}</div>")
    return "\n".join(lines)


def _body(s: Spec) -> list[str]:
    title = f"<h2 style='color:{s.colour}'>{s.title}</h2>"
    text = f"<p>{s.text}</p>"
    button = f"<button style='background:{s.accent};color:white'>{s.button}</button>"
    return {
        "hero": [title, text, button],
        "cards": [title, *(_card(s, cell) for cell in s.cells)],
        "table": [
            title,
            "<table border=1>",
            *(_row(s.cells[i : i + 3]) for i in range(0, len(s.cells), 3)),
            "</table>",
        ],
        "form": [title, *(f"<input placeholder='{cell}'><br>" for cell in s.cells), button],
        "list": [title, "<ul>", *(f"<li>{cell}</li>" for cell in s.cells), "</ul>"],
        "sidebar": [
            f"<div style='{SIDEBAR};background:{s.accent};color:white'>{''.join(s.cells)}</div>",
            title,
            text,
        ],
    }[s.body]


def _card(s: Spec, cell: str) -> str:
    return f"<div style='border:2px solid {s.accent};padding:6px;margin:4px'>{cell}</div>"


def _row(cells: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"

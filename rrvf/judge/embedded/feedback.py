"""The words of the embedded judge: a small closed vocabulary, in the shape of the official figure.

    ---Comments:
    -**Text**- the title is missing, the x label differs.
    -**Colour**- marks should be tab:orange, yours are tab:blue.

At most three lines, the aspect that costs most first, two phrases a line; only what differs is listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HEAD = "---Comments:"
NOTHING = f"{HEAD}\n-**All**- no difference found."
MAX_ASPECTS = 3
MAX_PHRASES = 2
ASPECTS = {"layout": "Layout", "type": "Type", "text": "Text", "colour": "Colour", "data": "Data"}
#: Said when an aspect's part is low and nothing more exact was found.
GENERAL = {
    "layout": "the layout differs",
    "type": "the mark type differs",
    "text": "the text differs",
    "colour": "the colours differ",
    "data": "the marks differ",
}
GENERAL_PAGE = GENERAL | {"type": "the block types differ", "data": "the details differ"}
BLANK = "the picture is blank"
#: A part at or above this goes unmentioned, unless a phrase was found.
MATCH = {"layout": 0.9, "type": 0.5, "text": 0.9, "colour": 0.8, "data": 0.95}
MATCH_PAGE = MATCH | {"data": 0.5}


def feedback_text(losses: Mapping[str, float], phrases: Mapping[str, Sequence[str]]) -> str:
    """losses: aspect to what it costs the score. phrases: aspect to what differs; one without phrases is left out."""
    told = [a for a in sorted(losses, key=lambda a: -losses[a]) if phrases.get(a)][:MAX_ASPECTS]
    if not told:
        return NOTHING
    lines = [f"-**{ASPECTS[a]}**- {', '.join(phrases[a][:MAX_PHRASES])}." for a in told]
    return "\n".join([HEAD, *lines])


def presence(region: str, reference: bool, generated: bool, alike: bool) -> str | None:
    """One region in both pictures: what to say of it, if anything."""
    if reference and not generated:
        return f"{region} is missing"
    if generated and not reference:
        return f"{region} should not be there"
    return f"{region} differs" if reference and not alike else None


def recolour(subject: str, wanted: Sequence[str], found: Sequence[str], be: str = "are") -> str | None:
    """Colours that lack and colours that are too many, at most two of each."""
    want, have = (" and ".join(names[:2]) for names in (wanted, found))
    if want and have:
        return f"{subject} should be {want}, yours {be} {have}"
    if want:
        return f"{subject} should have {want}"
    return f"{subject} should not have {have}" if have else None


def words() -> frozenset[str]:
    """Every word that feedback can hold, colour names apart (`colour.NAMES`): for tokenizers and for tests."""
    slots = """title x y label legend tick text top side panel panels marks background header body footer page block the
        a at and plot area layout grid is are missing should be not there have differs differ yours elsewhere too high
        low long short left middle right bottom 1 2 3 4 5 6 7 8 9 mark type types colours details no difference found
        picture blank"""
    return frozenset(slots.split()) | frozenset(ASPECTS.values()) | {"All", "Comments"}

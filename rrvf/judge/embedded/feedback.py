"""The words of the embedded judge: a small closed vocabulary, in the form of the official figure.

    ---Comments:
    -**Text**- the title is missing, the x label differs.
    -**Colour**- marks should be tab:orange, yours are tab:blue.

There are at most three lines, the aspect that costs most first, and two phrases per line. Only differences are listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HEAD = "---Comments:"
NOTHING = f"{HEAD}\n-**All**- no difference found."
MAX_ASPECTS = 3
MAX_PHRASES = 2
ASPECTS = {"layout": "Layout", "type": "Type", "text": "Text", "colour": "Colour", "data": "Data"}
#: The phrase of an aspect whose part is low, where no more exact difference was found.
GENERAL = {
    "layout": "the layout differs",
    "type": "the mark type differs",
    "text": "the text differs",
    "colour": "the colours differ",
    "data": "the marks differ",
}
GENERAL_PAGE = GENERAL | {"type": "the block types differ", "data": "the details differ"}
BLANK = "the picture is blank"
#: The part from which on an aspect is not mentioned, unless a difference was found.
MATCH = {"layout": 0.9, "type": 0.5, "text": 0.9, "colour": 0.8, "data": 0.95}
MATCH_PAGE = MATCH | {"data": 0.5}


def feedback_text(losses: Mapping[str, float], phrases: Mapping[str, Sequence[str]]) -> str:
    """The feedback text.

    losses: what each aspect costs the score. phrases: what differs, by aspect. An aspect without phrases has no line.
    """
    told = [a for a in sorted(losses, key=lambda a: -losses[a]) if phrases.get(a)][:MAX_ASPECTS]
    if not told:
        return NOTHING
    lines = [f"-**{ASPECTS[a]}**- {', '.join(phrases[a][:MAX_PHRASES])}." for a in told]
    return "\n".join([HEAD, *lines])


def presence(region: str, reference: bool, generated: bool, alike: bool) -> str | None:
    """The phrase on a region, or None. reference, generated: whether that picture has the region."""
    if reference and not generated:
        return f"{region} is missing"
    if generated and not reference:
        return f"{region} should not be there"
    return f"{region} differs" if reference and not alike else None


def recolour(subject: str, wanted: Sequence[str], found: Sequence[str], be: str = "are") -> str | None:
    """The phrase on missing colours (`wanted`) and extra colours (`found`), at most two of each; None without any."""
    want, have = (" and ".join(names[:2]) for names in (wanted, found))
    if want and have:
        return f"{subject} should be {want}, yours {be} {have}"
    if want:
        return f"{subject} should have {want}"
    return f"{subject} should not have {have}" if have else None


def words() -> frozenset[str]:
    """Every word that feedback can contain besides the colour names (`colour.NAMES`). For tokenizers and tests."""
    slots = """title x y label legend tick text top side panel panels marks background header body footer page block the
        a at and plot area layout grid is are missing should be not there have differs differ yours elsewhere too high
        low long short left middle right bottom 1 2 3 4 5 6 7 8 9 mark type types colours details no difference found
        picture blank"""
    return frozenset(slots.split()) | frozenset(ASPECTS.values()) | {"All", "Comments"}

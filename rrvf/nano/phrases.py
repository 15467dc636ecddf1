"""Random texts for strips and sketches: words of the corpora's vocabulary, and made-up ones that teach spelling."""

from __future__ import annotations

import random

from rrvf.data.generated.words import CHARACTERS, WORDS


def phrase(rng: random.Random) -> str:
    """One to four words: known words, numbers, words glued from two known ones, and random strings."""
    return " ".join(_word(rng) for _ in range(rng.randint(1, 4)))


def known(rng: random.Random) -> str:
    """One to four words of the vocabulary."""
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 4)))


def glued(rng: random.Random) -> str:
    """The beginning of one known word and the end of another: it must be read letter by letter."""
    first, last = (rng.choice(WORDS) for _ in range(2))
    return first[: rng.randint(1, len(first))] + last[-rng.randint(1, len(last)) :].lower()


def _word(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(WORDS)
    if kind < 0.55:
        return f"{rng.randint(0, 2100) / rng.choice((1, 1, 10)):g}"
    if kind < 0.85:
        return glued(rng)
    letters = "".join(rng.choice(CHARACTERS) for _ in range(rng.randint(2, 8)))
    return letters.capitalize() if rng.random() < 0.5 else letters

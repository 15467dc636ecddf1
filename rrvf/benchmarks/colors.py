"""Similarity of two colours (metrics_spec 1.6.3): CIEDE2000 on CIE Lab, D65, 2 degrees, or equality of map names."""

from __future__ import annotations

import math
import re
from functools import lru_cache

_TO_XYZ = ((0.412424, 0.357579, 0.180464), (0.212656, 0.715158, 0.0721856), (0.0193324, 0.119193, 0.950444))
_WHITE = (0.95047, 1.0, 1.08883)
_EPSILON = 216 / 24389
_HEX = re.compile(r"#[0-9A-F]{6}([0-9A-F]{2})?")


@lru_cache(1 << 16)
def similarity(first: str, second: str) -> float:
    """1 for the same colour down to 0 for one 100 apart. `#RRGGBB` against a map's name is 0; names are equal or not.

    Opacity, in two more digits, is not looked at.
    """
    if not (_HEX.fullmatch(first) and _HEX.fullmatch(second)):
        return float(first == second)
    return max(0.0, 1.0 - ciede2000(lab(first), lab(second)) / 100.0)


@lru_cache(1 << 16)
def lab(color: str) -> tuple[float, float, float]:
    """`#RRGGBB` or `#RRGGBBAA` as L*, a*, b*."""
    linear = [_linear(int(color[i : i + 2], 16) / 255) for i in (1, 3, 5)]
    x, y, z = (
        _f(sum(m * c for m, c in zip(row, linear, strict=True)) / w) for row, w in zip(_TO_XYZ, _WHITE, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _linear(value: float) -> float:
    return ((value + 0.055) / 1.055) ** 2.4 if value > 0.04045 else value / 12.92


def _f(t: float) -> float:
    return t ** (1 / 3) if t > _EPSILON else 7.787 * t + 16 / 116


def ciede2000(one: tuple[float, float, float], two: tuple[float, float, float]) -> float:
    """The CIEDE2000 difference with kL = kC = kH = 1, in the notation of Sharma, Wu and Dalal (2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    c_bar7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    stretch = 1 + 0.5 * (1 - math.sqrt(c_bar7 / (c_bar7 + 25**7)))
    c1, c2 = math.hypot(stretch * a1, b1), math.hypot(stretch * a2, b2)
    h1, h2 = _hue(stretch * a1, b1), _hue(stretch * a2, b2)
    dl, dc, dh = l2 - l1, c2 - c1, 2 * math.sqrt(c1 * c2) * math.sin(math.radians(_turn(h1, h2, c1 * c2)) / 2)
    l_bar, c_bar, h_bar = (l1 + l2) / 2, (c1 + c2) / 2, _mean_hue(h1, h2, c1 * c2)
    t = 1 - 0.17 * _cos(h_bar - 30) + 0.24 * _cos(2 * h_bar) + 0.32 * _cos(3 * h_bar + 6) - 0.20 * _cos(4 * h_bar - 63)
    s_l = 1 + 0.015 * (l_bar - 50) ** 2 / math.sqrt(20 + (l_bar - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_bar, 1 + 0.015 * c_bar * t
    swing = 30 * math.exp(-(((h_bar - 275) / 25) ** 2))
    r_t = -2 * math.sqrt(c_bar**7 / (c_bar**7 + 25**7)) * math.sin(math.radians(2 * swing))
    return math.sqrt((dl / s_l) ** 2 + (dc / s_c) ** 2 + (dh / s_h) ** 2 + r_t * (dc / s_c) * (dh / s_h))


def _cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def _hue(a: float, b: float) -> float:
    return math.degrees(math.atan2(b, a)) % 360 if a or b else 0.0


def _turn(h1: float, h2: float, chroma: float) -> float:
    if chroma == 0:
        return 0.0
    turn = h2 - h1
    return turn - 360 if turn > 180 else turn + 360 if turn < -180 else turn


def _mean_hue(h1: float, h2: float, chroma: float) -> float:
    """As the original's library has it: where the short way passes 0, up to 540 and not brought back below 360."""
    total = h1 + h2
    if chroma == 0:
        return total
    return total / 2 if abs(h1 - h2) <= 180 else (total + 360) / 2

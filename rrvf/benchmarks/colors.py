"""Similarity of colours (metrics_spec 1.6.3): CIEDE2000 on CIE Lab (D65, 2 degrees); of colour maps, equal names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_TO_XYZ = np.array(((0.412424, 0.357579, 0.180464), (0.212656, 0.715158, 0.0721856), (0.0193324, 0.119193, 0.950444)))
_WHITE = np.array((0.95047, 1.0, 1.08883))
_EPSILON = 216 / 24389
_HEX = re.compile(r"#[0-9A-F]{6}([0-9A-F]{2})?")


def is_hex(token: str) -> bool:
    """Whether a token is a colour and not the name of a colour map."""
    return _HEX.fullmatch(token) is not None


@lru_cache(1 << 16)
def similarity(first: str, second: str) -> float:
    """Two colours: from 1 where they are equal down to 0 where they are 100 apart. Opacity (`#RRGGBBAA`) is ignored.

    Two names of colour maps: 1 where they are equal, else 0. A colour and a name: 0.

    >>> [round(similarity("#1F77B4", other), 2) for other in ("#1F77B4", "#2A6F9F", "#FF7F0E")]
    [1.0, 0.96, 0.48]
    """
    if not (is_hex(first) and is_hex(second)):
        return float(first == second)
    return float(table(lab([first]), lab([second]))[0, 0])


def table(ones: np.ndarray, twos: np.ndarray) -> np.ndarray:
    """(n, m) similarities of all colours of `ones` (n, 3) to all of `twos` (m, 3). Both come from `lab`."""
    return np.maximum(0.0, 1.0 - ciede2000(ones[:, None], twos[None]) / 100.0)


def lab(colors: Sequence[str]) -> np.ndarray:
    """Colours `#RRGGBB` or `#RRGGBBAA` as (n, 3) rows of L*, a*, b*."""
    values = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]).reshape(-1, 3) / 255
    linear = np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    t = linear @ _TO_XYZ.T / _WHITE
    x, y, z = np.where(t > _EPSILON, np.cbrt(t), 7.787 * t + 16 / 116).T
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def ciede2000(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The CIEDE2000 difference with kL = kC = kH = 1, in the notation of Sharma, Wu and Dalal (2005)."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(two, -1, 0)
    c_bar7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1 + 0.5 * (1 - np.sqrt(c_bar7 / (c_bar7 + 25**7)))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = _hue(stretch * a1, b1), _hue(stretch * a2, b2)
    gray, turn = c1 * c2 == 0, h2 - h1
    turn = np.where(gray, 0.0, turn - 360 * (turn > 180) + 360 * (turn < -180))
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    l_bar, c_bar, h_bar = (l1 + l2) / 2, (c1 + c2) / 2, _mean_hue(h1, h2, gray)
    t = 1 - 0.17 * _cos(h_bar - 30) + 0.24 * _cos(2 * h_bar) + 0.32 * _cos(3 * h_bar + 6) - 0.20 * _cos(4 * h_bar - 63)
    s_l = 1 + 0.015 * (l_bar - 50) ** 2 / np.sqrt(20 + (l_bar - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c_bar, 1 + 0.015 * c_bar * t
    swing = 30 * np.exp(-(((h_bar - 275) / 25) ** 2))
    r_t = -2 * np.sqrt(c_bar**7 / (c_bar**7 + 25**7)) * np.sin(np.radians(2 * swing))
    square = (dl / s_l) ** 2 + (dc / s_c) ** 2 + (dh / s_h) ** 2 + r_t * (dc / s_c) * (dh / s_h)
    return np.sqrt(np.maximum(square, 0.0))


def _cos(degrees: np.ndarray) -> np.ndarray:
    return np.cos(np.radians(degrees))


def _hue(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(b, a)) % 360


def _mean_hue(h1: np.ndarray, h2: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """As in the original's library: where the short way passes 0, the mean may reach 540 and is not reduced by 360."""
    total = h1 + h2
    mean = np.where(np.abs(h1 - h2) <= 180, total / 2, (total + 360) / 2)
    return np.where(gray, total, mean)

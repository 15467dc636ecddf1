"""The two calibration rows of every table: what a perfect copy scores, and what saying nothing scores."""

from __future__ import annotations

from rrvf.domains import Domain
from rrvf.protocol import answer_text


class Reference:
    """Answers with the true code.

    The ceiling of each metric, below 100 where the protocol says so (metrics_spec T9).
    """

    name = "reference"

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def answer(self, code: str) -> str:
        """The reply that holds `code`, the sample's own."""
        return answer_text(code, self._domain)


class Blank:
    """Answers with empty axes or an empty page, whatever the picture: the floor of each metric."""

    name = "blank"

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def answer(self, code: str) -> str:
        """The same reply for every sample; `code` is not looked at."""
        return answer_text(self._domain.blank, self._domain)

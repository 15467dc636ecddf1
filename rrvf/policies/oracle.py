"""The two calibration rows of every table: the score of a perfect copy, and the score of an empty picture."""

from __future__ import annotations

from rrvf.domains import Domain
from rrvf.protocol import answer_text


class Reference:
    """Answers with the true code: the ceiling of each metric.

    It lies below 100 where the protocol makes it so (metrics_spec T9).
    """

    name = "reference"

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def answer(self, code: str | None) -> str | None:
        """The reply that holds `code`, the sample's true code; None where it has none."""
        return None if code is None else answer_text(code, self._domain)


class Blank:
    """Answers every picture with empty axes or an empty page: the floor of each metric."""

    name = "blank"

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def answer(self, code: str | None) -> str:
        """The same reply for every sample; `code` is ignored."""
        return answer_text(self._domain.blank, self._domain)

"""The hybrid reward, Eq. (2): R = w_v R_vision + w_f R_format + w_t R_tool."""

from __future__ import annotations

from dataclasses import dataclass

from rrvf.profile import Profile
from rrvf.records import PASTED_ABOVE, RewardTerms, Trajectory


@dataclass(frozen=True)
class Weights:
    """w_v, w_f, w_t of Eq. (2)."""

    vision: float
    format: float
    tool: float


#: The paper prints (-0.2, 0.8, 1.0), which punishes fidelity; see docs/decisions.md#D2 for the three readings.
PRESETS = {
    "paper_abs": Weights(0.2, 0.8, 1.0),
    "literal": Weights(-0.2, 0.8, 1.0),
    "deepeyes": Weights(0.8, 0.2, 1.2),
}


@dataclass(frozen=True)
class RewardRule:
    """Eq. (2): the weights, and the constants that the paper gives in prose.

    format_penalty: R_format when the final code is missing or does not run (ours: D4).
    tool_step: R_tool per tool call that rendered; the sum is capped at 1 (Experimental Settings).
    tool_full_above: a similarity above this sets R_tool to 1 (Experimental Settings).
    tool_above: R_tool is 0 unless the similarity is above this (the gate of DeepEyes, not the paper's); None: no gate.
    pasted_above: R_vision is 0 when a larger share of the final picture was pasted: copied, not drawn (ours).
    """

    weights: Weights = PRESETS["paper_abs"]
    format_penalty: float = -1.0
    tool_step: float = 1 / 3
    tool_full_above: float = 0.95
    pasted_above: float = PASTED_ABOVE
    tool_above: float | None = None

    def terms(self, trajectory: Trajectory) -> RewardTerms:
        """The three terms of one finished episode and their weighted sum.

        R_vision is 0 if there is no final picture, or if it was pasted. R_vision and the total are None if the judge
        failed or any render ended in a harness error. Such a sample must leave its group: it says nothing about
        similarity.

        >>> from rrvf.records import Judgement, Render, Turn
        >>> drawn, turn = Render(status="ok"), Turn(text="", action="tool_call", code="plt.plot([1])")
        >>> episode = Trajectory(
        ...     sample_id="a", domain="chart", turns=[turn.model_copy(update={"render": drawn})] * 2, final_code="",
        ...     final_render=drawn, judgement=Judgement(status="ok", score=0.5),
        ... )
        >>> terms = RewardRule().terms(episode)  # 0.2 * 0.5 + 0.8 * 1 + 1.0 * 2/3
        >>> round(terms.total, 4)
        1.5667
        >>> round(RewardRule(PRESETS["literal"]).terms(episode).total, 4)  # similarity is punished
        1.3667
        """
        runs = trajectory.final_render is not None and trajectory.final_render.ok
        format_term = 1.0 if runs else self.format_penalty
        vision = self._vision(trajectory)
        tool = min(1.0, self.tool_step * trajectory.tool_calls)
        if vision is None:
            return RewardTerms(vision=None, format=format_term, tool=tool, total=None)
        if vision > self.tool_full_above:
            tool = 1.0
        if self.tool_above is not None and vision <= self.tool_above:
            tool = 0.0
        w = self.weights
        total = w.vision * vision + w.format * format_term + w.tool * tool
        return RewardTerms(vision=vision, format=format_term, tool=tool, total=total)

    def _vision(self, trajectory: Trajectory) -> float | None:
        if trajectory.harness_error:
            return None
        render = trajectory.final_render
        if render is None or not render.ok or (render.pasted_share or 0.0) > self.pasted_above:
            return 0.0
        judgement = trajectory.judgement
        return judgement.score if judgement is not None and judgement.ok else None


def reward_rule(profile: Profile) -> RewardRule:
    """Eq. (2) with the reward settings of a profile."""
    r = profile.reward
    return RewardRule(PRESETS[r.preset], r.format_penalty, r.tool_step, r.tool_full_above, r.pasted_above, r.tool_above)

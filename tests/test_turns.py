"""Several turns at inference: episodes side by side, scored as if stopped after each turn."""

from __future__ import annotations

import pytest
from scripted import Judge, Renderer, png

from rrvf.benchmarks.turns import as_of, play
from rrvf.domains import CHART
from rrvf.protocol import answer_text, tool_call_text
from rrvf.records import Sample, Trajectory, Turn
from rrvf.rollout import Tools


@pytest.fixture
def tools():
    renderer = Renderer()
    tools = Tools({"chart": renderer}, Judge())
    yield tools
    tools.close()


@pytest.fixture
def pictures(tmp_path):
    fields = dict(domain="chart", split="t", sha256="", phash="", source="", licence="")
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(png(i))
    return [Sample(id=str(i), image=f"{i}.png", **fields) for i in range(3)]


def test_episodes_are_played_side_by_side_and_each_ends_where_it_answers(tools, pictures, tmp_path):
    calls = []

    def chat(talks):
        calls.append([len(talk) for talk in talks])
        draft = tool_call_text(f"plot({len(calls)})", CHART)
        # The first picture's episode ends at once, the others draft on.
        return [
            answer_text("done()", CHART) if talk[0]["content"][0]["image"].getpixel((0, 0))[0] == 0 else draft
            for talk in talks
        ]

    ended = play(pictures, tmp_path, "draw", chat, tools, 3)
    assert calls == [[1, 1, 1], [3, 3], [5, 5]]
    assert [len(t.turns) for t in ended] == [1, 3, 3]
    assert [as_of(ended[0], n) for n in (1, 2, 3)] == [answer_text("done()", CHART)] * 3
    # The call of the last turn is not executed, but its code is what the policy has by then.
    assert [as_of(ended[1], n) for n in (1, 2)] == [answer_text(f"plot({n})", CHART) for n in (1, 2)]


def test_a_turn_without_code_leaves_what_was_there_before():
    turns = (
        Turn(text="", action="tool_call", code="a"),
        Turn(text="hm", action="none"),
        Turn(text="", action="answer", code="b"),
    )
    trajectory = Trajectory(sample_id="1", domain="chart", turns=turns, final_code="b")
    assert [as_of(trajectory, n) for n in (1, 2, 3)] == [answer_text(code, CHART) for code in "aab"]
    assert as_of(trajectory.model_copy(update={"turns": turns[1:2]}), 1) is None

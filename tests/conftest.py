"""Shared fixtures. Heavy imports are inside functions, because most tests need no torch."""

from __future__ import annotations

import pytest

from rrvf.records import Sample


@pytest.fixture(scope="session")
def policy(tmp_path_factory):
    """The folder of a tiny random policy."""
    import tiny_policy

    return tiny_policy.build(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="session")
def engine():
    """A renderer of charts at the size that their scripts choose. All files share it, because its start takes seconds."""
    from rrvf.render import Limits
    from rrvf.render.chart import ChartRenderer

    with ChartRenderer(2, Limits(wall_s=120)) as one:
        yield one


@pytest.fixture(scope="module")
def lent(engine):
    """In this file every renderer of charts draws with `engine` under its own limits, so that none starts processes.

    Its value is what starts them, for a test of that.
    """
    import rrvf.render

    class Lent:
        def __init__(self, workers, limits):
            self.limits = limits

        def render(self, code, trace=None, limits=None, ticket=None):
            return engine.render(code, trace, limits or self.limits, ticket)

        def close(self):
            """The engine stays open for the other files."""

    starts = rrvf.render._engine
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rrvf.render, "_engine", lambda domain: Lent if domain == "chart" else starts(domain))
        yield starts


@pytest.fixture(scope="session")
def nano_charts():
    """A renderer of charts on the nano policy's canvas."""
    from rrvf.domains import NANO_CANVAS
    from rrvf.render import Limits, Renderer

    with Renderer("chart", 2, Limits(canvas=NANO_CANVAS, wall_s=120)) as renderer:
        yield renderer


@pytest.fixture
def fake():
    """A local server that gives the answers that a test sets."""
    from test_judge_client import FakeJudge

    server = FakeJudge()
    yield server
    server.released.set()
    server.server.shutdown(), server.server.server_close()


@pytest.fixture
def samples(tmp_path):
    """Four charts with their code, as files in tmp_path."""
    from scripted import png

    result = []
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(png(60 * i))
        (tmp_path / f"{i}.py").write_text(f"plt.plot([{i}])")
        fields = dict(split="train", sha256="", phash="", source="test", licence="none")
        result.append(Sample(id=str(i), domain="chart", image=f"{i}.png", code=f"{i}.py", **fields))
    return result


@pytest.fixture
def script(monkeypatch, policy):
    """Makes the policy write `script(turn, row)` instead of sampling. It draws as many random numbers as sampling does."""
    import torch
    from scripted import ANSWER, Model

    from rrvf.policies.local import load_processor

    tokenizer = load_processor(str(policy)).tokenizer
    state = {"write": lambda turn, row: ANSWER, "turn": 0, "tokenizer": tokenizer}

    def generate(self, input_ids, **kwargs):
        texts = [state["write"](state["turn"], row) for row in range(len(input_ids))]
        state["turn"] += 1
        torch.rand(1)
        ids = [tokenizer(t, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id] for t in texts]
        new = torch.full((len(ids), max(map(len, ids))), tokenizer.pad_token_id)
        for row, tokens in enumerate(ids):
            new[row, : len(tokens)] = torch.tensor(tokens)
        return torch.cat([input_ids, new], dim=1)

    monkeypatch.setattr(Model, "generate", generate)
    return state

"""What a profile works with: its judge, its canvas, and the tools of an episode.

with open_tools(load_profile("nano"), ["chart"]) as tools:
    ...
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext

from rrvf.errors import UserError
from rrvf.judge.child import running_server
from rrvf.judge.client import JudgeClient
from rrvf.judge.rubrics import Rubric
from rrvf.places import CACHE
from rrvf.profile import JudgeConfig, Profile
from rrvf.render import Limits, Renderer
from rrvf.rollout import Tools


def _one_machine() -> bool:
    """Whether all processes of this run are on one machine. SQLite's cache cannot be shared over a network folder."""
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    return ranks == int(os.environ.get("LOCAL_WORLD_SIZE", str(ranks)))


@contextmanager
def open_judge(config: JudgeConfig, rubric: Rubric | None = None) -> Iterator[JudgeClient]:
    """A client of a judge; one without an address is the embedded judge, started in a process of its own.

    rubric: how scores are asked for; None: by ours. UserError where none answers: asked once, before weights are
    loaded.
    """
    settings = config.model_dump(exclude={"url", "model"}) | {
        "cache_dir": CACHE / ("judge" if _one_machine() else f"judge-{socket.gethostname()}"),
        "rubric": rubric,
        "key": config.key,
    }
    if config.url and config.key not in ("RRVF_JUDGE_API_KEY", *os.environ):
        raise UserError(f"set {config.key}: the key for the judge {config.model} at {config.url}")
    server = running_server() if config.url is None else nullcontext(config.url)
    with server as url, JudgeClient(url, config.model, **settings) as client:
        if config.url is not None:
            client.check()
        yield client


def render_limits(profile: Profile, domain_name: str) -> Limits:
    """What a render may cost, on the profile's canvas."""
    return Limits(canvas=getattr(profile.canvas, domain_name))


@contextmanager
def open_tools(
    profile: Profile, domains: Collection[str], bare_score: bool = False, limits: Limits | None = None
) -> Iterator[Tools]:
    """Renderers and judge of an episode, for the domains named; processes that train together share the workers.

    limits: of one render; None: the profile's (`render_limits`).
    """
    workers = max(1, profile.workers // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    renderers = {name: Renderer(name, workers, limits or render_limits(profile, name)) for name in domains}
    try:
        with open_judge(profile.judge) as judge:
            # A thread per render and per comparison: a thread that waits for the judge does not block rendering.
            tools = Tools(renderers, judge, workers + profile.judge.max_in_flight, bare_score)
            try:
                yield tools
            finally:
                tools.close()
    finally:
        for renderer in renderers.values():
            renderer.close()

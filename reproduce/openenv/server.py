"""Serve the episodes of a profile's grpo section to OpenEnv clients. All sessions share renderers and judge.

python -m reproduce.openenv.server --profile nano --section chart --port 8010 --sessions 32
"""

from __future__ import annotations

import base64
import functools
import json
import sys
from typing import Any

import typer
import uvicorn
from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import State

from reproduce.openenv.client import Told, Turn
from rrvf.domains import CHART
from rrvf.domains import domain as find_domain
from rrvf.errors import UserError
from rrvf.judge.local import decode
from rrvf.profile import Profile, load_profile
from rrvf.protocol import load_prompt
from rrvf.records import Trajectory
from rrvf.reward import reward_rule
from rrvf.rollout import Episode, Tools
from rrvf.study import Study


class RedrawEnvironment(Environment[Turn, Told, State]):
    """One session: plays one `rrvf.rollout.Episode` after another by `reset` and `step`."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, profile: Profile, section: str, tools: Tools) -> None:
        super().__init__()
        self._config, self._style, self._rule = profile.grpo[section], profile.policy.prompts, reward_rule(profile)
        self._tools, self._show, self._state = tools, False, State()
        self._episode: Episode | None = None

    def reset(
        self, seed=None, episode_id: str | None = None, picture="", domain="", show_render: bool = False, **_: Any
    ) -> Told:
        """Begin an episode on `picture` (base64). Raises UserError for a bad picture or a domain not in the section."""
        self._episode, self._show, self._state = None, show_render, State(episode_id=episode_id)
        config, name = self._config, domain or self._config.domains[0]
        if name not in config.domains:
            raise UserError(f"no domain {name!r} is served here: name one of {', '.join(config.domains)}")
        try:
            target = base64.b64decode(picture, validate=True)
        except ValueError:
            raise UserError("`picture` is not base64: send a PNG or JPEG file in it") from None
        decode(target)  # raises UserError for a picture that policy or judge cannot read
        drawn = find_domain(name)
        self._episode = Episode(episode_id or "", drawn, target, self._tools, config.max_turns, config.last_turn_hint)
        mode = "tools" if config.max_turns > 1 else "direct"
        return Told(words=load_prompt(drawn, mode, self._style, config.max_turns).text)

    def step(self, action: Turn, timeout_s: float | None = None, **_: Any) -> Told:
        """Take one turn. The last one ends the episode with its reward. Raises UserError if no episode has begun."""
        if self._episode is None:
            raise UserError("no episode has begun, or it is over: call reset first")
        episode, self._state.step_count = self._episode, self._state.step_count + 1
        over = isinstance(told := episode.take(action.text), Trajectory)
        render = told.final_render if over else episode.turns[-1].render
        picture = base64.b64encode(render.png).decode() if self._show and render and render.png else None
        if not over:
            return Told(words=told, picture=picture)
        self._episode, terms = None, self._rule.terms(told)
        ended: dict[str, Any] = terms.model_dump()
        if terms.total is None:
            ended["problem"] = told.harness_error or told.judgement.reason
        return Told(picture=picture, done=True, reward=terms.total, metadata=ended)

    @property
    def state(self) -> State:
        """The id of the episode, and its number of turns so far."""
        return self._state


def serve(profile="nano", section=CHART.name, host: str = "127.0.0.1", port: int = 8010, sessions: int = 32) -> None:
    """Serve a grpo section. Prints one JSON line, {"url": ...}, when the port is bound (port 0: any free port)."""
    study = Study(load_profile(profile))
    with study.tools_of(study.section("grpo", section)) as tools:
        session = functools.partial(RedrawEnvironment, study.profile, section, tools)
        app = create_app(session, Turn, Told, max_concurrent_envs=sessions)
        settings = uvicorn.Config(app, host, port, log_level="warning", ws_max_size=64 * 2**20)  # 16 megapixels
        held = settings.bind_socket()
        held.listen()  # before the line is printed: a client may connect before the server runs
        print(json.dumps({"url": f"http://{host}:{held.getsockname()[1]}"}), flush=True)
        uvicorn.Server(settings).run(sockets=[held])


if __name__ == "__main__":
    try:
        typer.run(serve)
    except UserError as error:
        sys.exit(f"openenv: {error}")

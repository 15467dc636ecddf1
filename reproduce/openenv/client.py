"""The client of a served episode. Its only dependency is `openenv`.

    with Redraw("http://127.0.0.1:8010").sync() as env:
        told = env.reset(picture=base64_png, domain="chart").observation
        result = env.step(Turn(text=policy(told.words, told.picture)))

Take turns until `done`. The last result has the reward of Eq. (2), or None (not 0) if the judge or the harness failed.
"""

from __future__ import annotations

from typing import Any

from openenv.core import EnvClient
from openenv.core.client_types import StepResult
from openenv.core.env_server.types import Action, Observation, State
from pydantic import Field


class Turn(Action):
    """One turn of the policy."""

    text: str = Field(description="the whole text of the turn: <think>, then a <tool_call> or the <answer>")


class Told(Observation):
    """What the policy sees next. At the end, `metadata` has the reward's terms and, without a reward, `problem`."""

    words: str = Field(default="", description="after reset the prompt, after a turn the judge's feedback or the error")
    picture: str | None = Field(default=None, description="the draft's render, PNG in base64, if `show_render` is set")


class Redraw(EnvClient[Turn, Told, State]):
    """One session. `reset` takes `picture` (PNG or JPEG in base64), `domain` and `show_render`."""

    def __init__(self, base_url: str, message_timeout_s: float = 2_400.0, **more: Any) -> None:
        super().__init__(base_url, message_timeout_s=message_timeout_s, **more)  # long: the server retries its judge

    def _step_payload(self, action: Turn) -> dict[str, Any]:
        return {"text": action.text}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Told]:
        told = Told(**payload["observation"], reward=payload["reward"], done=payload["done"])
        return StepResult(told, told.reward, told.done, told.metadata)

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return State(**payload)

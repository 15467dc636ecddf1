"""The client of a served episode; it needs `openenv` alone.

    with Redraw("http://127.0.0.1:8010").sync() as env:
        told = env.reset(picture=base64_png, domain="chart").observation
        result = env.step(Turn(text=policy(told.words, told.picture)))

Turns go on until `done`, which brings the reward of Eq. (2): None where judge or harness failed, which is no zero.
"""

from __future__ import annotations

from typing import Any

from openenv.core import EnvClient
from openenv.core.client_types import StepResult
from openenv.core.env_server.types import Action, Observation, State
from pydantic import Field


class Turn(Action):
    """One turn of the policy."""

    text: str = Field(description="all that it wrote: <think>, then a <tool_call> or the <answer>")


class Told(Observation):
    """What the policy sees next. metadata, at the end: the reward's terms, and `problem`, why there are none."""

    words: str = Field(default="", description="the prompt at the beginning, then the judge's words or the error")
    picture: str | None = Field(
        default=None, description="of the draft, PNG in base64, where `show_render` asks for it"
    )


class Redraw(EnvClient[Turn, Told, State]):
    """One session. `reset` takes `picture` (PNG or JPEG in base64), `domain` and `show_render`."""

    def __init__(self, base_url: str, message_timeout_s: float = 2_400.0, **more: Any) -> None:
        super().__init__(base_url, message_timeout_s=message_timeout_s, **more)  # a judge that is away is waited for

    def _step_payload(self, action: Turn) -> dict[str, Any]:
        return {"text": action.text}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Told]:
        told = Told(**payload["observation"], reward=payload["reward"], done=payload["done"])
        return StepResult(told, told.reward, told.done, told.metadata)

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return State(**payload)

"""The judge of a profile with `judge: {serve: true}`: started beside the run, stopped after it.

It is vLLM with the profile's file of reproduce/judges, the same that `make judge` serves. It must have its memory
before training begins, for vLLM measures what is free while it starts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from reproduce.progress import Progress
from rrvf.endpoints import base_url
from rrvf.errors import UserError
from rrvf.plan.judges import JUDGES, judge_need
from rrvf.profile import Profile
from rrvf.served import answers, serving

#: What serves a large model.
VLLM = (sys.executable, "-m", "vllm.entrypoints.openai.api_server")


@contextmanager
def served_judge(profile: Profile, results: Path, progress: Progress, server: Sequence[str] = ()) -> Iterator[None]:
    """Hold the profile's judge at its URL for as long as the block lasts; nothing where the profile asks for none.

    One that answers there already is taken and left running. server: the command without `--config` and `--port`.
    UserError where none of the judges here is the profile's, or where it does not start.
    """
    url = profile.judge.url
    if not profile.judge.serve or url is None or answers(url):
        yield
        return
    need = judge_need(profile)
    if need is None:
        raise UserError(f"no file of reproduce/judges serves {profile.judge.model}: add one, or leave judge.serve out")
    config, port = JUDGES / f"{need.name}.yaml", urlsplit(base_url(url, "judge")).port or 80
    command = server or VLLM
    log = results / "judge.log"
    progress.say(f"judge {need.name}: starting, its log is {log}")
    with serving([*command, "--config", str(config), "--port", str(port)], url, log):
        progress.say(f"judge {need.name}: answers at {url}")
        yield

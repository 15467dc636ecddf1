"""Serves the judge of a profile with `judge: {serve: true}`: started before the run, stopped after it.

It is vLLM with the judge's file in reproduce/judges, as in `make judge`. It must start before training, because vLLM
measures the free memory when it starts.
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

#: The command of vLLM's server.
VLLM = (sys.executable, "-m", "vllm.entrypoints.openai.api_server")


@contextmanager
def served_judge(profile: Profile, results: Path, progress: Progress, server: Sequence[str] = ()) -> Iterator[None]:
    """Serve the profile's judge at its URL during the block. Does nothing unless the profile sets `judge.serve`.

    A judge that already answers there is used and left running. results: folder of its log, judge.log. server: the
    command without `--config` and `--port`; default: vLLM. Raises UserError if no file in reproduce/judges has the
    profile's model, or if the server does not start.
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

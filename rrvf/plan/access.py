"""Checks the services that a profile needs: its judges' endpoints, and the hub of data sets and models.

Each is asked once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from rrvf.data import DataConfig
from rrvf.endpoints import addresses, key_for
from rrvf.environment import hub_is_off
from rrvf.errors import first_line
from rrvf.plan.judges import judge_need
from rrvf.plan.stages import Stage
from rrvf.policies.names import hub_parts
from rrvf.profile import JudgeConfig, Profile

#: Timeout of a request, in seconds.
ASK_S = 5.0
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def judge_access(profile: Profile) -> Stage | None:
    """Whether the judge answers and accepts the key. None if it is embedded or `make reproduce` starts it."""
    return _judge_access("judge", profile.judge, profile)


def table_judge_access(profile: Profile) -> Stage | None:
    """The same check for `evaluation_judge`; None if the profile has none."""
    config = profile.evaluation_judge
    return _judge_access("evaluation_judge", config, profile) if config else None


def _judge_access(setting: str, config: JudgeConfig, profile: Profile) -> Stage | None:
    if config.url is None or config.serve:
        return None
    asked = [_server_access(url, setting, config, profile) for url in addresses(config.url, "judge")]
    return next((stage for stage in asked if not stage.fits), asked[0])


def _server_access(url: str, setting: str, config: JudgeConfig, profile: Profile) -> Stage:
    name = f"access: {setting.replace('_', ' ')}"
    key = key_for(url, config.key)
    try:
        with httpx.Client(trust_env=urlsplit(url).hostname not in _LOOPBACK, timeout=ASK_S) as client:
            code = client.get(f"{url}/models", headers={"Authorization": f"Bearer {key}"}).status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        judge = judge_need(profile) if config is profile.judge else None
        start = f"start it with `make judge JUDGE={judge.name}`" if judge else "start it"
        return Stage(name, False, f"no answer at {url} ({type(error).__name__})", f"{start}, or correct {setting}.url")
    if code in (401, 403):
        change = f"set {config.key}" if key == "none" else f"correct {config.key}"
        return Stage(name, False, f"{url} refuses the key ({code})", change)
    if code >= 500:
        return Stage(name, False, f"{url} answers {code}", "wait until it has started, or start it again")
    return Stage(name, True, f"answers at {url}")


#: Checks one source on the hub, given ("dataset" or "model", id). Returns why it cannot be read ("" if it can), and
#: whether to skip the remaining sources.
Ask = Callable[[str, str], tuple[str, bool]]


def hub_access(profile: Profile, ready: Collection[str] = (), ask: Ask | None = None) -> Stage | None:
    """Whether the profile's sources on the hub can be read; gated ones need a token. None if it needs none.

    ready: names of splits that are already built.
    """
    ask, problems, asked = ask or _ask_hub, [], 0
    for kind, source in _sources(profile, ready):
        asked += 1
        problem, over = ask(kind, source)
        problems += [problem] if problem else []
        if over:
            break
    if not asked:
        return None
    if not problems:
        return Stage("access: hub", True, f"{asked} sources can be read")
    return Stage("access: hub", False, f"{len(problems)} of {asked} sources cannot be read", "; ".join(problems))


def _sources(profile: Profile, ready: Collection[str]) -> Iterable[tuple[str, str]]:
    splits = DataConfig.read(profile.data).root
    wanted = [
        ("dataset", split.source) for name, split in splits.items() if name not in ready and hasattr(split, "source")
    ]
    wanted += [("model", profile.policy.model)] if profile.policy.model != "nano" else []
    wanted += [("model", profile.judge.model)] if profile.judge.serve else []
    return [(kind, source) for kind, source in dict.fromkeys(wanted) if not Path(source).exists()]


def _ask_hub(kind: str, source: str) -> tuple[str, bool]:
    from huggingface_hub import HfApi, get_token, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    hub_id, commit = hub_parts(source)
    if kind == "model" and isinstance(try_to_load_from_cache(hub_id, "config.json", revision=commit), str):
        return "", False
    if hub_is_off():
        return "HF_HUB_OFFLINE is set: unset it, or name local copies as `source`", True
    api = HfApi()
    place = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{hub_id}"
    try:
        look = api.dataset_info if kind == "dataset" else api.model_info
        if getattr(look(hub_id, revision=commit, timeout=ASK_S), "gated", False):
            if not get_token():
                return f"{source} is gated: accept its terms at {place} and set HF_TOKEN", False
            api.auth_check(hub_id, repo_type=kind)
    except GatedRepoError:
        return f"{source} is gated, and this HF_TOKEN may not read it: accept its terms at {place}", False
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return f"{source} is not on the hub, or private: correct it, or set HF_TOKEN", False
    except HfHubHTTPError as error:
        if error.response.status_code == 401:
            return "the hub refuses this HF_TOKEN: correct it or unset it", True
        return f"the hub fails for {source} ({first_line(error)}): try later", True
    except Exception as error:  # the hub's client raises many types for a network failure
        return (
            f"the hub does not answer for {source} ({type(error).__name__}): check the network, or name local copies",
            True,
        )
    return "", False

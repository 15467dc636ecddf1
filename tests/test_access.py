"""What `rrvf doctor --profile` says of the hub and of the judge of the tables. The hub's client is a stand-in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock, create_autospec

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from test_judge_client import body

from rrvf.plan.access import hub_access, table_judge_access
from rrvf.policies.names import hub_parts
from rrvf.profile import JudgeConfig, load_profile

PAPER = load_profile("paper")
SET, (MODEL, COMMIT) = "ChartMimic/ChartMimic", hub_parts(PAPER.policy.model)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub that has everything, and a machine that has nothing of it and no token."""
    api = create_autospec(HfApi, instance=True)
    api.dataset_info.return_value = api.model_info.return_value = SimpleNamespace(gated=False)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: api)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return api


def gate(hub) -> None:
    """Make one data set a gated one."""
    hub.dataset_info.side_effect = lambda source, **_: SimpleNamespace(gated="manual" if source == SET else False)


def test_every_source_is_looked_up_once(hub):
    stage = hub_access(PAPER)
    assert stage.fits and stage.found == "4 sources can be read"
    assert (hub.dataset_info.call_count, hub.model_info.call_count, hub.auth_check.call_count) == (3, 1, 0)


def test_a_gated_set_needs_a_token_and_its_page_is_named(hub):
    gate(hub)
    stage = hub_access(PAPER)
    assert not stage.fits and stage.found == "1 of 4 sources cannot be read"
    assert stage.change == f"{SET} is gated: accept its terms at https://huggingface.co/datasets/{SET} and set HF_TOKEN"


@pytest.mark.parametrize("refused", [False, True])
def test_whether_a_token_may_read_a_gated_set_is_asked(hub, monkeypatch, refused):
    gate(hub)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_x")
    hub.auth_check.side_effect = GatedRepoError("403", response=Mock()) if refused else None
    stage = hub_access(PAPER)
    hub.auth_check.assert_called_once_with(SET, repo_type="dataset")
    assert stage.fits is not refused and ("this HF_TOKEN may not read it" in stage.change) is refused


@pytest.mark.parametrize("missing", [RepositoryNotFoundError, RevisionNotFoundError])
def test_a_model_or_commit_that_the_hub_does_not_have_is_named(hub, missing):
    hub.model_info.side_effect = missing("404", response=Mock())
    assert (
        hub_access(PAPER).change == f"{PAPER.policy.model} is not on the hub, or private: correct it, or set HF_TOKEN"
    )


@pytest.mark.parametrize(("status", "words"), [(401, "refuses this HF_TOKEN"), (503, "try later")])
def test_a_token_that_has_expired_is_named_as_the_cause(hub, status, words):
    hub.dataset_info.side_effect = HfHubHTTPError("error", response=Mock(status_code=status))
    assert words in hub_access(PAPER).change


def test_a_model_named_with_its_commit_is_looked_up_at_that_commit(hub):
    assert hub_access(PAPER).fits
    assert hub.model_info.call_args.args == (MODEL,) and hub.model_info.call_args.kwargs["revision"] == COMMIT


def test_a_hub_that_does_not_answer_is_asked_no_more(hub):
    hub.dataset_info.side_effect = ConnectionError("no route")
    stage = hub_access(PAPER)
    assert hub.dataset_info.call_count == 1 and not hub.model_info.called
    assert not stage.fits and "(ConnectionError): check the network" in stage.change


def cache_model(folder: Path) -> None:
    """Put the model into the cache of this machine, as the hub's client lays it out."""
    cached = folder / f"models--{MODEL.replace('/', '--')}"
    for name, text in {"refs/main": COMMIT, f"snapshots/{COMMIT}/config.json": "{}"}.items():
        (cached / name).parent.mkdir(parents=True)
        (cached / name).write_text(text)


def test_a_model_that_is_cached_is_not_looked_up(hub, tmp_path):
    cache_model(tmp_path)
    assert hub_access(PAPER).fits and not hub.model_info.called


def test_offline_only_what_is_here_can_be_read(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    stage = hub_access(PAPER)
    assert not stage.fits and stage.change.startswith("HF_HUB_OFFLINE is set")
    cache_model(tmp_path)
    assert hub_access(PAPER, ready=list(PAPER.data)).fits
    assert not hub.dataset_info.called and not hub.model_info.called


@pytest.mark.parametrize(
    ("code", "key", "change"),
    [(200, "sk-x", ""), (401, "", "set TABLES_KEY"), (403, "sk-x", "correct TABLES_KEY"), (500, "sk-x", "wait")],
)
def test_the_judge_of_the_tables_is_asked_with_its_own_key(fake, monkeypatch, code, key, change):
    heard = []

    def models(handler):
        heard.append((handler.path, handler.headers["Authorization"]))
        body("{}", code)(handler)

    fake.server.RequestHandlerClass.do_GET = models
    monkeypatch.setenv("TABLES_KEY", key)
    judge = JudgeConfig(url=fake.url, model="m", key="TABLES_KEY")
    stage = table_judge_access(PAPER.model_copy(update={"evaluation_judge": judge}))
    assert stage.name == "access: evaluation judge" and stage.fits is (code == 200)
    assert stage.change.startswith(change) and heard == [("/v1/models", f"Bearer {key or 'none'}")]


def test_where_the_judge_of_the_tables_is_not_there_its_setting_is_named():
    judge = JudgeConfig(url="http://127.0.0.1:9/v1", model="m")
    stage = table_judge_access(PAPER.model_copy(update={"evaluation_judge": judge}))
    assert not stage.fits and stage.change == "start it, or correct evaluation_judge.url"
    assert table_judge_access(load_profile("nano")) is None

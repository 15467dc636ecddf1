"""The rows of the paper's tables: complete, found by name, refused in one line if they cannot be measured."""

from __future__ import annotations

import datetime
import json
import re
import sys
from contextlib import ExitStack
from importlib.util import find_spec

import pytest
from dialects import body, reply
from pydantic import ValidationError

from reproduce import rows
from reproduce.rows import beside_paper, sets_of
from rrvf import cli, stages
from rrvf.environment import SETTINGS
from rrvf.errors import UserError
from rrvf.places import SHIPPED
from rrvf.policies import address
from rrvf.policies.address import Settings, identity, open_policy
from rrvf.policies.endpoint import EndpointPolicy
from rrvf.prices import PRICES, Asked, estimate, price, price_table
from rrvf.profile import load_profile
from rrvf.records import Usage
from rrvf.report.claim_specs import CLAIMS
from rrvf.report.paper import paper_table
from rrvf.rows import MODELS, Row, find_row, load_rows
from rrvf.study import Study

ROWS = load_rows()
PAPER = load_profile("paper")


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """Sets a date on which makers still serve the rows used here, so that the tests pass on later dates too."""
    monkeypatch.setattr("rrvf.rows._today", lambda: datetime.date(2026, 11, 28))


@pytest.fixture
def study(tmp_path):
    return Study(PAPER, tmp_path / "runs", tmp_path / "data")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_row_of_a_table_is_here_and_no_other(number):
    ours = {row.paper_key for row in ROWS.values() if number in row.tables}
    assert ours == {row.key for row in paper_table(number).rows}


@pytest.mark.parametrize("key", ROWS)
def test_a_row_says_how_it_is_reached_or_why_not(key):
    row = ROWS[key]
    assert row.route == "reported" or row.access
    assert row.route != "openai" or (row.key in SETTINGS and row.url.startswith("https://"))


@pytest.mark.parametrize("key", [key for key, row in ROWS.items() if row.revision])
def test_a_pin_is_a_whole_commit(key):
    """The hub accepts only full hashes."""
    assert re.fullmatch("[0-9a-f]{40}", ROWS[key].revision)


def test_the_starred_rows_are_those_that_cannot_be_run_here():
    """The authors copied these rows too, from the original benchmarks."""
    starred = {row.key for n in (1, 2) for row in paper_table(n).rows if row.starred}
    assert {key for key, row in ROWS.items() if row.route == "reported"} == starred


def test_a_row_is_reported_only_from_the_day_its_maker_shuts_it_down():
    row = ROWS["gemini-2.5"]
    day = datetime.timedelta(days=1)
    assert row.why_reported(row.until - day) is None and "shut down" in row.why_reported(row.until)


@pytest.mark.parametrize("key", ["gpt-4v", "nonsense"])
def test_a_row_that_cannot_be_measured_is_one_line(key):
    with pytest.raises(UserError, match=r"reported only|has no row"):
        find_row(key)


@pytest.mark.parametrize("raw", [{"tables": [1], "route": "openai", "model": "m"}, {"tables": [1], "route": "reported"},
                                 {"tables": [4], "route": "vllm", "model": "m"}])  # fmt: skip
def test_an_incomplete_row_is_refused(raw):
    with pytest.raises(ValidationError):
        Row.model_validate(raw)


def test_a_hosted_row_is_asked_with_its_own_key_settings_and_name(fake, monkeypatch):
    monkeypatch.setenv("THEIR_KEY", "secret"), monkeypatch.setenv("RRVF_POLICY_API_KEY", "another")
    fake.replies = [body(reply("code"))]
    row = ROWS["o3"].model_copy(update={"url": f"{fake.url}/v1", "key": "THEIR_KEY"})
    with ExitStack() as stack:
        policy = open_policy(row, Settings(max_new_tokens=10, repetition_penalty=1.0), stack)
        list(policy.answers([[{"role": "user", "content": "x"}]]))
    asked = fake.requests[0]
    assert fake.keys == ["Bearer secret"] and asked["model"] == "o3-2025-04-16"
    assert asked["max_tokens"] == 16384 and "temperature" not in asked and "repetition_penalty" not in asked


def test_a_hosted_row_without_its_key_names_the_variable(monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    with pytest.raises(UserError, match="set GEMINI_API_KEY"), ExitStack() as stack:
        open_policy(ROWS["gemini-2.5"], Settings(), stack)


def test_a_row_is_known_by_its_revision(monkeypatch):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "/hub/snapshots/abc/config.json")
    assert identity(ROWS["rrvf-released-web"]) == "chenzju/rrvf_websight@abc"
    assert identity(ROWS["base"]).endswith(ROWS["base"].revision)
    assert identity(ROWS["gpt-4o"]) == "gpt-4o-2024-11-20 at api.openai.com"


def test_weights_are_known_by_what_they_hold(tmp_path):
    """This includes the shipped policy, which a new version may change, and weights in several files."""
    shipped = identity("nano")
    assert shipped != "nano" and len(shipped) == 16
    for name in ("a", "b"):
        (tmp_path / f"model-{name}.safetensors").write_bytes(name.encode())
    first = identity(str(tmp_path))
    (tmp_path / "model-b.safetensors").write_bytes(b"c")
    assert identity(str(tmp_path)) not in (first, str(tmp_path))


SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
asked = dict(zip(sys.argv[1::2], sys.argv[2::2]))
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        data = json.dumps({"data": [], "asked": asked}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(data))); self.end_headers(); self.wfile.write(data)
    def log_message(self, *args): pass
HTTPServer(("127.0.0.1", int(asked["--port"])), Handler).serve_forever()
"""


@pytest.mark.parametrize("key", ["base", "teacher"])
def test_a_local_row_is_served_with_a_copy_of_its_weights_on_every_gpus_of_its_own(key, monkeypatch):
    import httpx

    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    settings = Settings(max_new_tokens=2048, server=(sys.executable, "-c", SERVER))
    with ExitStack() as stack:
        policy = open_policy(ROWS[key], settings, stack)
        asked = httpx.get(f"{policy._url}/models").json()["asked"]
    assert isinstance(policy, EndpointPolicy) and asked["--revision"] == ROWS[key].revision
    copies = {"base": ("1", "8"), "teacher": ("8", "1")}[key]
    assert (asked["--tensor-parallel-size"], asked["--data-parallel-size"]) == copies
    with pytest.raises(httpx.HTTPError):  # the server ends with the block
        httpx.get(f"{policy._url}/models")


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is here")
def test_without_vllm_a_local_row_is_run_by_transformers(monkeypatch):
    made = []
    monkeypatch.setattr("rrvf.policies.local.LocalPolicy", lambda *words: made.append(words))
    with ExitStack() as stack:
        open_policy(ROWS["base"], Settings("bfloat16", 2048, 1.0), stack)
    assert made == [(f"{ROWS['base'].model}@{ROWS['base'].revision}", "bfloat16", 2048, 1.0, 0.0)]


@pytest.mark.parametrize(("prompts", "served"), [("full", True), ("nano", False)])
def test_on_gpus_with_vllm_a_trained_folder_is_served_but_nano_and_its_offspring_are_not(
    prompts, served, monkeypatch, tmp_path
):
    monkeypatch.setattr(address, "_vllm_here", lambda: True)
    (tmp_path / "training.json").write_text(json.dumps({"policy": {"prompts": prompts}}))
    assert address.is_endpoint("runs/paper/train/rrvf_chart/final") and not address.is_endpoint("nano")
    assert address.is_endpoint(str(tmp_path)) is served


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"max_position_embeddings": 128_000}, 32_768),
        ({"text_config": {"max_position_embeddings": 2_048}}, 2_048),
        ({}, 32_768),
    ],
)
def test_vllm_is_not_asked_for_more_tokens_than_the_model_has(config, tokens, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert address.context_of(str(tmp_path), None) == tokens


def test_a_released_checkpoint_stands_beside_the_papers_row(study):
    assert ROWS["rrvf-released-chart"].paper_key == ROWS["rrvf-released-web"].paper_key == "rrvf"
    assert sets_of(study, "rrvf-released-chart") == ["chartmimic", "plot2code"]
    assert sets_of(study, "rrvf-released-web") == ["websight"]


def test_rows_are_policies_of_a_study_but_what_it_trains_is_its_own(study):
    assert study.model_of("gpt-4o", "chart") == ROWS["gpt-4o"]
    assert study.model_of("base", "chart") == ROWS["base"]  # with its commit
    with pytest.raises(UserError, match="trains no sft for the web domain"):
        study.model_of("sft", "web")


def test_an_estimate_of_a_row_that_is_trained_here_trains_nothing(monkeypatch, capsys):
    monkeypatch.setattr(Study, "train_grpo", lambda *_: pytest.fail("it trains"))
    assert rows.main(["--row", "rrvf", "--estimate"]) == 2
    assert "not trained yet" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"decoding": ROWS["o3"].decoding.model_copy(update={"max_tokens": 99})},
                                    {"prompt": "own"}])  # fmt: skip
def test_a_row_that_is_asked_in_another_way_is_measured_anew(study, change, monkeypatch):
    keys = []

    class Seen(Exception):
        pass

    def stage(self, name, kind, inputs):
        keys.append(stages.stage_key(kind, inputs))
        raise Seen

    monkeypatch.setattr(Study, "stage", stage)
    monkeypatch.setattr("rrvf.evaluation.prompts.download_if_possible", lambda *_: None)
    for row in (ROWS["o3"], ROWS["o3"].model_copy(update=change)):
        monkeypatch.setattr(Study, "model_of", lambda *_, row=row: row)
        with pytest.raises(Seen):
            study.evaluate("chartmimic", "o3")
    assert keys[0] != keys[1]


def test_a_measured_row_is_printed_beside_the_papers(tmp_path):
    from test_report_runs import write_run
    from test_two_judges import GPT

    from rrvf.report.runs import find_runs

    write_run(tmp_path / "chartmimic" / "rrvf-released-chart", n=200, exec_rate=0.97, provenance=GPT)
    text = beside_paper(find_runs(tmp_path)[0])
    exec_rate = next(line for line in text.splitlines() if line.startswith("| exec_rate"))
    assert "97.00" in exec_rate and "| 97.83 | -0.83 [" in exec_rate
    assert text.count("another judge") == 0


def test_the_authors_checkpoints_are_one_command_over_all_their_tables(tmp_path, monkeypatch, capsys):
    """`make released`, with a stand-in for the evaluation."""
    from test_report_runs import write_run
    from test_two_judges import GPT

    def evaluate(study, name, key):
        config = study.profile.evaluations[name]
        folder = write_run(study.results / "eval" / name / key, config.benchmark, n=200, exec_rate=0.9, provenance=GPT)
        return json.loads((folder / "summary.json").read_text())

    monkeypatch.setattr("rrvf.study.RUNS", tmp_path)
    monkeypatch.setattr(Study, "evaluate", evaluate)
    assert rows.main(["--row", "rrvf-released-chart", "--row", "rrvf-released-web"]) == 0
    told = capsys.readouterr().out
    heads = [line.partition(":")[0] for line in told.splitlines() if line.startswith("Table ")]
    assert heads == [f"Table {n}, rrvf-released-{of} beside RRVF (Ours)" + " [without text labels]" * (n < 3)
                     for n, of in ((1, "chart"), (2, "chart"), (3, "web"))]  # fmt: skip
    assert "| 97.83 | -7.83 [" in told and "| 96.21 | -6.21 [" in told


@pytest.mark.parametrize(("words", "said"), [
    ("--policy gpt-4v", "reported only"), ("--policy rrvf", "not trained yet"), ("--policy gpt-4o --shard 4/3", "--shard"),
    ("--policy gpt-4o --shard 1/3 --turns 4", "not run in parts"),
])  # fmt: skip
def test_the_command_refuses_a_row_in_one_line(words, said, capsys):
    assert cli.run(["eval", "--benchmark", "chartmimic", *words.split()]) == 2
    assert said in capsys.readouterr().err


def test_a_price_has_a_page_and_a_date_and_is_of_a_model_that_a_row_names():
    assert set(price_table()) <= {row.model for row in ROWS.values()}
    for known in price_table().values():
        assert known["date"] <= datetime.date.today() and known["source"].startswith("https://")


ONE = Usage(calls=2, input_tokens=1_000_000, output_tokens=100_000, models=("gpt-4o-2024-11-20",))


def test_calls_of_one_known_model_have_a_price_and_no_others():
    assert price(ONE) == {"price_usd": 3.5, "prices_of": str(price_table()["gpt-4o-2024-11-20"]["date"])}
    for models in [("mine",), (), (*ONE.models, "mine"), (*ONE.models, "o3-2025-04-16")]:
        assert price(ONE.model_copy(update={"models": models})) == {}


@pytest.mark.parametrize(("models", "said"), [
    ((), "nothing is paid"), (("mine",), "in all no price is known"), (("gpt-4o-2024-11-20",), "in all about $1."),
    (("gpt-4o-2024-11-20", "mine"), ", plus calls without a known price"),
])  # fmt: skip
def test_an_estimate_never_takes_an_unknown_price_for_nothing(models, said):
    told = estimate(Asked("policy", model, 4_000, ((),) * 100, 8) for model in models)
    assert said in told and "$0.00" not in told


def test_what_an_installed_package_reads_lies_where_a_wheel_takes_it_from():
    for path in (PRICES, MODELS, CLAIMS):
        assert path.parent == SHIPPED and path.is_file()

"""The judge's client against a real vLLM server on the CPU with the nano policy: `make test-vllm` (some minutes).

Not collected by `make test`: it needs .venv-vllm, which `make test-vllm` builds.
"""

import json
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from vllm_on_cpu import PYTHON, ROOT, running_vllm

from rrvf.judge.client import JudgeClient
from rrvf.judge.local import encode
from rrvf.judge.panel import Panel
from rrvf.judge.scenes import draw_chart, random_chart
from rrvf.profile import load_profile
from rrvf.records import Judgement
from rrvf.study import Study

PICTURES = [encode(draw_chart(random_chart(random.Random(i)))) for i in range(9)]
UNDERSTOOD = """
import sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
for path in sys.argv[1:]:
    settings = make_arg_parser(FlexibleArgumentParser()).parse_args(["--config", path])
    print(settings.tensor_parallel_size, settings.enable_prefix_caching, settings.limit_mm_per_prompt)
"""
#: A quarter of the nano profile's charts.
CHARTS = """
name: served
policy: {model: nano, prompts: nano, dtype: float32}
canvas: {chart: {width: 280, height: 224, dpi: 100, font_size: 8}}
data: {test: {kind: generated_charts, count: 100, seed: 2000000, pretraining: 1}}
evaluations:
  charts: {benchmark: chartmimic, dataset: test, table: 1, domain: chart, owned_canvas: true, max_new_tokens: 320, title: t}
"""
pytestmark = pytest.mark.timeout(1800)


def whole(judged: Judgement) -> bool:
    """Whether the reply fits the schema."""
    return judged.ok


@pytest.fixture(scope="module")
def url():
    with running_vllm(Path("reproduce/judges/nano.yaml")) as address:
        yield address


@pytest.fixture
def judge(url):
    with JudgeClient(url, timeout_s=300) as client:
        yield client


def test_vllm_understands_the_settings_of_every_judge():
    files = sorted((ROOT / "reproduce" / "judges").glob("*.yaml"))
    done = subprocess.run([PYTHON, "-c", UNDERSTOOD, *files], cwd=ROOT, capture_output=True, text=True)
    limit = "True {'image': 2, 'video': 0}"
    assert [f.stem for f in files] == ["72b", "7b", "nano"]
    assert done.stdout.splitlines()[-3:] == [f"8 {limit}", f"1 {limit}", f"1 {limit}"]


def test_it_names_its_model(judge):
    assert judge.card("chart").model == "nano"


@pytest.mark.parametrize("domain", ["chart", "web"])
def test_a_reply_keeps_to_the_schema(judge, domain):
    judged = judge.score(PICTURES[0], PICTURES[1], domain)
    assert whole(judged) and judged.ok == (judged.score is not None)


def test_the_same_question_gets_the_same_answer(judge):
    first, again = (judge.score(PICTURES[0], PICTURES[1], "chart") for _ in range(2))
    assert whole(first) and (first.score, first.reason) == (again.score, again.reason)


def test_many_questions_at_once_are_all_answered(judge):
    with ThreadPoolExecutor(8) as pool:
        judged = list(pool.map(lambda png: judge.score(PICTURES[0], png, "chart"), PICTURES[1:]))
    assert [whole(j) for j in judged] == [True] * 8


def test_words_that_are_no_feedback_are_a_judge_error(judge):
    judged = judge.compare(PICTURES[0], PICTURES[1], "chart")
    assert judged.status == "judge_error" and judged.reason.startswith("bad_reply") and not judged.feedback


def test_a_panel_asks_it_in_both_orders(judge):
    judged = Panel([judge], swap=True).score(PICTURES[0], PICTURES[1], "chart")
    assert whole(judged) and (not judged.ok or "order" in judged.spread)


def test_a_picture_that_is_none_is_refused_and_not_scored(judge):
    judged = judge.score(PICTURES[0], b"junk", "chart")
    assert judged.status == "judge_error" and judged.reason.startswith("http_4")


def test_a_third_picture_is_over_the_limit(url, judge):
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
    request = {"model": "nano", "messages": [{"role": "user", "content": [part] * 3}], "max_tokens": 1}
    reply = httpx.post(f"{url}/v1/chat/completions", json=request, timeout=60, trust_env=False)
    assert reply.status_code == 400


@pytest.fixture(scope="module")
def twice(url, tmp_path_factory):
    """The records of two evaluations of the nano policy, by transformers here and by vLLM: greedy, float32."""
    place = tmp_path_factory.mktemp("twice")
    (place / "served.yaml").write_text(CHARTS)
    study = Study(load_profile(str(place / "served.yaml")), results=place, data=place / "data")
    for name, model in {"here": "nano", "served": f"{url}/v1#nano"}.items():
        study.evaluate_model("charts", name, model, place / name)
    return [_records(place / name) for name in ("here", "served")]


def _records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]


def test_a_policy_that_is_served_writes_what_it_writes_here(twice):
    differ = [one["sample_id"] for one, other in zip(*twice, strict=True) if one["reply"] != other["reply"]]
    assert len(twice[0]) == 100 and differ == []


def test_a_policy_that_is_served_scores_what_it_scores_here(twice):
    """Compared by sample: outcome, all metrics, the judge's score."""
    measured = [[(r["sample_id"], r["outcome"], r["metrics"]) for r in records] for records in twice]
    assert measured[0] == measured[1] and {r["outcome"] for r in twice[0]} >= {"scored"}

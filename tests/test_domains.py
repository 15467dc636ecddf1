"""Each domain is one record in one file, and no other part of the project names the domains."""

import ast
import pickle
import pkgutil
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from rrvf.domains import CHART, DOMAINS, PAPER, Canvas, Domain, domain
from rrvf.errors import UserError
from rrvf.judge.prompts import HEADER, load_judge_prompt
from rrvf.profile import CanvasConfig, GRPOConfigSection
from rrvf.protocol import answer_text, load_prompt, parse_turn, tool_call_text
from rrvf.records import Sample
from rrvf.render.chart import Trace

ROOT = Path(__file__).parent.parent
#: Places where the name of a domain is another word.
OTHER = {
    ("rrvf/cli/score.py", "web"),
    ("rrvf/render/web_markup.py", "svg"),
}  # the command `rrvf score web`; an HTML element
every_domain = pytest.mark.parametrize("known", DOMAINS.values(), ids=str)


def sources() -> list[Path]:
    found = [*ROOT.glob("rrvf/**/*.py"), *ROOT.glob("reproduce/**/*.py")]
    return sorted(path for path in found if path.parent != ROOT / "rrvf" / "domains")


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_outside_its_own_file_names_a_domain(path: Path):
    words = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    named = {word for word in words if isinstance(word, str) and word in DOMAINS}
    assert not {word for word in named if (str(path.relative_to(ROOT)), word) not in OTHER}


@every_domain
def test_all_that_a_domain_names_is_there(known: Domain):
    for field in fields(known):
        if field.name.endswith("_at") and (place := getattr(known, field.name)):
            assert pkgutil.resolve_name(place) is not None
    for style in ("full", "nano"):
        assert "{" not in load_prompt(known, "direct", style).text
        assert load_prompt(known, "tools", style).text
    for mode in ("feedback", "score"):
        assert HEADER.match(load_judge_prompt(known.name, mode).text).groups() == (known.name, mode)


@every_domain
def test_the_prompt_of_a_domain_shows_its_own_tool_and_fence(known: Domain):
    text = load_prompt(known, "tools").text
    call = f'{{"name": "{known.tool_name}", "arguments": {{"{known.tool_argument}": "'
    assert call in text
    assert f"```{known.fence}\n" in text


@every_domain
@pytest.mark.parametrize("write", [answer_text, tool_call_text], ids=["answer", "call"])
@pytest.mark.parametrize("code", ["blank", "sample"])
def test_code_comes_back_from_a_turn_as_it_was_written(known: Domain, write, code):
    assert parse_turn(write(getattr(known, code), known), known).code.strip() == getattr(known, code).strip()


@every_domain
def test_a_domain_survives_the_way_to_another_process(known: Domain):
    assert pickle.loads(pickle.dumps(known)) == known


@every_domain
def test_records_and_settings_take_every_domain(known: Domain):
    sample = dict(id="a", split="s", image="a.png", sha256="", phash="", source="", licence="")
    assert Sample(domain=known.name, **sample).domain == known.name
    settings = dict(train_set="s", steps=1, prompts_per_step=1, group_size=2, micro_batch=1, learning_rate=1e-5)
    settings |= dict(max_turns=1, max_completion_tokens=1, max_turn_tokens=1)
    assert GRPOConfigSection(domain=known.name, **settings).domains == (known.name,)
    assert getattr(CanvasConfig(**{known.name: Canvas(8, 8)}), known.name).width == 8


def test_a_domain_that_a_profile_does_not_name_leaves_its_hash_alone():
    assert tuple(CanvasConfig().model_dump()) == PAPER


def test_charts_have_the_traces_of_their_renderer():
    assert CHART.traces == get_args(Trace)


def test_an_unknown_domain_is_told_the_known_ones():
    with pytest.raises(UserError, match=", ".join(DOMAINS)):
        domain("opera")

"""Plans for other policies, GPUs and engines, and the published step times that they are compared with."""

from __future__ import annotations

import json

import pytest

from rrvf.errors import UserError
from rrvf.plan import load_latencies, plan, published
from rrvf.plan.judges import GIB
from rrvf.plan.models import SHAPES, shape
from rrvf.plan.planner import busy_judge, judges_enough
from rrvf.plan.scaling import GPUS, engine_gpus, reckoned
from rrvf.plan.sharded import SHARE, fused_head, sharded_memory
from rrvf.plan.show import Layout, show
from rrvf.profile import load_profile

PAPER = load_profile("paper")
CHART = PAPER.grpo["chart"]
SIZES = {name.split("-")[2]: name for name in SHAPES}


def test_the_papers_own_figures_are_those_that_are_reckoned_for_it():
    own, size = load_latencies(PAPER), shape(PAPER.policy.model)
    again = reckoned(own, size.parameters, size.cache_bytes, GPUS["a100"], "trl")
    for name in ("decode", "decode_each", "prefill", "train", "step", "judge_busy", "compare", "score"):
        assert getattr(again, name).value == pytest.approx(getattr(own, name).value, rel=0.3), name


def test_published_steps_are_met_or_their_error_stands_beside_the_plan():
    errors = {run.name: planned / run.seconds - 1 for run, planned in published.checked()}
    near = {name for name, error in errors.items() if abs(error) <= published.NEAR}
    assert len(near) >= 3 and any("VL" in name for name in near) and min(errors.values()) > -0.6
    told = "\n".join(published.lines())
    assert f"{len(near)} of {len(errors)} are met within 30%" in told
    for run, _ in published.checked():
        assert f"({errors[run.name]:+.0%}) {run.address}" in told and run.address.startswith("https://")


def test_a_larger_policy_is_slower_and_a_faster_gpu_or_more_of_them_quicker():
    times = load_latencies(PAPER)

    def train(size: str, gpu: str, together: int = 1) -> float:
        sizes = shape(SIZES[size])
        return reckoned(times, sizes.parameters, sizes.cache_bytes, GPUS[gpu], "verl", together).train.value

    assert train("3B", "a100") < train("7B", "a100") < train("32B", "a100") < train("72B", "a100")
    assert train("7B", "h100") < train("7B", "a100") and train("72B", "h100", 8) == train("72B", "h100") / 8


def test_an_engine_takes_as_many_gpus_as_its_weights_need():
    found = {size: engine_gpus(shape(name).parameters, 80, SHARE) for size, name in SIZES.items()}
    assert found == {"3B": 1, "7B": 1, "32B": 4, "72B": 8}


def test_shards_shrink_with_the_gpus_and_wait_in_main_memory_where_they_must():
    size = shape(SIZES["32B"])
    few, many = (sharded_memory(size, CHART, gpus, 80, 4) for gpus in (8, 32))
    assert few.peak.parts["shards"] == pytest.approx(4 * many.peak.parts["shards"])
    assert not few.fits and "more GPUs" in few.refusal() and many.fits
    assert sharded_memory(size, CHART, 8, 80, 4).phases[0].name == "rollout, all else in main memory"


def test_longer_episodes_make_no_larger_head_under_verl():
    size = shape(SIZES["32B"])
    half = CHART.model_copy(update={"max_completion_tokens": CHART.max_completion_tokens // 2})
    whole, shorter = (sharded_memory(size, config, 16, 80, 4).phases[1].parts for config in (CHART, half))
    assert (
        whole["head"] == shorter["head"] == fused_head(size) / GIB < 5 and whole["activations"] > shorter["activations"]
    )


@pytest.mark.parametrize("engine", ["trl", "verl"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gpus", [1, 8, 128])
def test_every_size_is_planned_or_refused_in_one_line(engine, size, gpus):
    try:
        told = show(PAPER, "chart", gpus, 8, layout=Layout(engine, SIZES[size], "h200"))
        assert told.startswith("step ") and "published steps took" in told
    except UserError as error:
        assert "\n" not in str(error)
        assert size in ("32B", "72B") or gpus == 1


def test_what_no_gpu_holds_is_refused_for_trl_and_planned_for_verl():
    with pytest.raises(UserError, match="the engine needs"):
        show(PAPER, "chart", 64, 8, layout=Layout("trl", SIZES["32B"], "h100"))
    assert "shards" in show(PAPER, "chart", 64, 8, layout=Layout("verl", SIZES["32B"], "h100"))


def test_the_judges_that_are_enough_are_enough_and_one_fewer_is_not():
    times = load_latencies(PAPER)
    enough = judges_enough(PAPER, "chart", 8, times, 8)
    assert enough == 16 and f"{enough} GPUs of judges are enough" in show(PAPER, "chart", 8, 8)
    assert busy_judge(plan(PAPER, "chart", 8, enough - 8)) and not busy_judge(plan(PAPER, "chart", 8, enough))


def test_as_json_a_plan_holds_the_published_steps_and_the_sources_too():
    told = json.loads(show(PAPER, "chart", 8, 8, as_json=True, layout=Layout(gpu="h100"), sources=True))
    assert {run["address"] for run in told["published"]} == {run.address for run, _ in published.checked()}
    assert told["figures"]["train"]["source"].startswith("8 FLOP")


def test_every_figure_is_told_with_its_source():
    told = show(PAPER, "chart", 8, 8, sources=True)
    figures = load_latencies(PAPER).figures()
    assert len(figures) > 14 and all(
        f"figure      {n}: {f.value:g} ({f.kind}: {f.source})" in told for n, f in figures.items()
    )


@pytest.mark.parametrize(
    ("profile", "layout", "told"),
    [
        ("paper", Layout("fsdp"), "name one of trl, verl"),
        ("paper", Layout(gpu="tpu"), "name one of a100, h100, h200"),
        ("gpu", Layout("verl"), "trains adapters"),
        ("paper", Layout("verl", "Qwen/Qwen2.5-VL-72B-Instruct"), "must be a multiple of it"),
    ],
)
def test_a_layout_that_is_none_is_refused(profile, layout, told):
    with pytest.raises(UserError, match=told):
        show(load_profile(profile), "chart", 12, 8, layout=layout)

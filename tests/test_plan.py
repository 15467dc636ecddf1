"""The planner: queues, arithmetic, and its error against a run."""

from __future__ import annotations

import json

import pytest

from rrvf.errors import UserError
from rrvf.plan import compare, load_latencies, plan
from rrvf.plan.latencies import FILE, Figure
from rrvf.plan.show import show
from rrvf.plan.simulation import Clock, Station, Step, Workload
from rrvf.profile import load_profile
from rrvf.starter import write_starter

PAPER = load_profile("paper")


def figure(value: float) -> Figure:
    return Figure(value=value, kind="estimate", source="a test")


def fixed(**changes):
    """Latencies of the nano profile with all figures 0, except for those given."""
    times = load_latencies(load_profile("nano"))
    zero = {name: figure(0) for name, value in times if isinstance(value, Figure)}
    zero |= {"render": {"chart": figure(0), "web": figure(0)}, "judge_reference_gpus": 1, "decode_width": 0}
    return times.model_copy(update=zero | changes)


def work(**changes) -> Workload:
    sizes = dict(
        domain="chart", episodes=32, processes=1, max_turns=1, max_turn_tokens=100, turns=1.0, turn_tokens=10.0, answered=1.0,
        prompt_tokens=0.0, feedback_tokens=0.0, render_workers=2, judge_in_flight=32, judge_gpus=1,
    )  # fmt: skip
    return Workload(**(sizes | changes))


def test_a_station_serves_as_many_as_it_has_servers():
    clock, ended = Clock(), []
    station = Station(clock, servers=2)
    for _ in range(5):
        station.serve(1.0, lambda: ended.append(clock.now))
    clock.run()
    assert ended == [1, 1, 2, 2, 3] and station.busy == 5


def test_renders_share_their_workers():
    times = fixed(render={"chart": figure(1.0), "web": figure(0)})
    one = Step(work(render_workers=1), times, seed=0).run().seconds
    four = Step(work(render_workers=4), times, seed=0).run().seconds
    assert one == pytest.approx(32, rel=0.2) and one / four == pytest.approx(4, rel=0.1)


def test_answers_overlap_and_the_judges_throughput_does_not():
    answers = Step(work(), fixed(score=figure(1.0)), seed=0).run().seconds
    throughput = Step(work(), fixed(judge_busy=figure(1.0)), seed=0).run().seconds
    assert answers < 3 and throughput == pytest.approx(32)


def test_an_episode_has_as_many_turns_as_were_asked_for():
    times = fixed(decode_each=figure(1.0), continuous=True)
    seconds = [Step(work(max_turns=4, turns=2.5, max_turn_tokens=10**6), times, s).run().seconds for s in range(40)]
    assert sum(seconds) / len(seconds) == pytest.approx(32 * 10 * 2.5, rel=0.05)


def test_a_later_turn_reads_the_earlier_ones_and_writes_beside_them():
    two = work(max_turns=2, turns=2.0, prompt_tokens=50.0)
    one_token = Step(work(), fixed(decode_each=figure(1.0)), seed=0).run().seconds
    wide = Step(work(prompt_tokens=2e6), fixed(decode_each=figure(1.0), decode_width=10**6), seed=0).run().seconds
    assert wide == pytest.approx(2 * one_token, rel=1e-3)
    assert Step(two, fixed(reread=figure(1.0)), seed=0).run().seconds == pytest.approx(32 * 10, rel=0.2)


def test_training_pads_no_episode_beyond_its_group():
    step = Step(work(), fixed(train=figure(1.0)), seed=0)
    assert step._trained([1.0] * 8 + [5.0] * 7 + [9.0]) == 8 * 1 + 8 * 9


def test_a_kl_term_costs_a_pass_forward():
    times = fixed(train=figure(1.0))
    without, with_kl = (Step(work(passes=n), times, seed=0).run().phases for n in (0, 1))
    assert without["reference"] == 0
    assert 0.2 < with_kl["reference"] / with_kl["training"] < 1 / 3


def test_price_is_gpus_times_hours():
    planned = plan(PAPER, "chart", policy_gpus=8, judge_gpus=8)
    assert planned.hours == pytest.approx(planned.step_seconds * PAPER.grpo["chart"].steps / 3600)
    assert planned.gpu_hours == pytest.approx(16 * planned.hours)
    assert sum(planned.phases.values()) == pytest.approx(planned.step_seconds)


def test_more_judge_gpus_never_slow_the_step():
    steps = [plan(PAPER, "chart", 8, gpus).step_seconds for gpus in (4, 8, 16)]
    assert steps == sorted(steps, reverse=True)
    assert plan(PAPER, "chart", 8, 4).bottleneck.startswith("judge")


def test_every_figure_has_a_source_and_estimates_are_called_so():
    for name in ("nano", "gpu", "paper"):
        times = load_latencies(load_profile(name))
        figures = [value for _, value in times if isinstance(value, Figure)] + list(times.render.values())
        assert all(len(f.source) > 5 for f in figures)
    assert "turns" in plan(PAPER, "chart", 8, 8).estimates
    assert "PLACEHOLDER" not in FILE.read_text()


def test_the_error_is_taken_phase_by_phase(tmp_path):
    phases = {"generation": 4.0, "tools": 1.0, "reward": 1.0, "training": 2.0, "other": 0.5, "saving": 9.0}
    line = {f"seconds/{k}": v for k, v in phases.items()} | {"seconds/step": 17.5}
    line |= {"step": 1, "rrvf/turns": 2.0, "rrvf/answered": 1.0, "completions/mean_length": 150.0}
    (tmp_path / "log.jsonl").write_text((json.dumps(line) + "\n") * 3)
    planned = plan(load_profile("nano"), "chart", 0, 0, [line])
    assert compare(planned, [line] * 3)["step"] == (planned.step_seconds, 8.5)
    assert "generation  planned" in show(load_profile("nano"), "chart", 0, 0, tmp_path / "log.jsonl")


def test_a_plan_without_gpus_says_what_to_give():
    with pytest.raises(UserError, match="--judge-gpus"):
        plan(PAPER, "chart", 8, 0)
    with pytest.raises(UserError, match="two steps"):
        compare(plan(PAPER, "chart", 8, 8), [{"step": 1}])


def test_the_trainers_own_pass_beside_vllms_is_planned():
    assert PAPER.grpo["chart"].use_vllm and plan(PAPER, "chart", 8, 8).phases["reference"] > 0


def test_more_gpus_than_episodes_are_refused():
    with pytest.raises(UserError, match="episodes a step"):
        plan(PAPER, "chart", policy_gpus=1_000, judge_gpus=8)


@pytest.mark.parametrize("name", ["nano", "gpu", "paper"])
def test_a_profile_that_began_as_another_is_planned_on_its_machine(tmp_path, name):
    known = load_profile(name)
    mine = load_profile(str(write_starter(known, tmp_path / "mine.yaml")))
    assert show(mine, "chart") == show(known, "chart")


def test_a_profile_of_an_unknown_machine_says_what_to_set():
    with pytest.raises(UserError, match="set `latencies` in profile mine to one of nano, gpu, paper"):
        plan(PAPER.model_copy(update={"name": "mine"}), "chart", 8, 8)

"""What users see of a running training: log line, curves, pages and guards."""

from __future__ import annotations

import inspect
import io
from types import SimpleNamespace

import pytest
from scripted import ANSWER, BROKEN, CALL, Judge, run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerControl
from trl import GRPOTrainer

from rrvf.errors import UserError
from rrvf.profile import GuardConfig
from rrvf.records import Judgement
from rrvf.training.guards import Guards
from rrvf.training.logs import read_log
from rrvf.training.phases import Phases
from rrvf.training.progress import Progress, progress_line

WELL = {
    "loss": 0.0, "reward": 0.5, "rewards/vision/mean": 0.4, "rewards/format/mean": 0.9, "rewards/tool/mean": 0.33,
    "rrvf/exec_rate": 0.95, "rrvf/similarity_given_exec": 0.42, "rrvf/turns": 2.1, "rrvf/tool_calls": 1.1,
    "rrvf/judge_errors": 0.0, "rrvf/feedback_errors": 0.04, "rrvf/harness_errors": 0.0, "rrvf/pasted_share": 0.01,
    "frac_reward_zero_std": 0.25, "tools/call_frequency": 1.1,
    "seconds/generation": 5.1, "seconds/tools": 1.2, "seconds/reward": 0.8, "seconds/training": 2.0,
    "seconds/saving": 0.0, "seconds/other": 0.2, "seconds/step": 9.3,
}  # fmt: skip


def test_one_run_leaves_line_curves_and_pages(policy, samples, tmp_path, script, capsys):
    script["write"] = lambda turn, row: ANSWER if turn % 2 else [CALL, BROKEN][row % 2]
    run(policy, samples, tmp_path, steps=2, save_every=2)
    line = read_log(tmp_path / "run/log.jsonl")[1]
    phases = {k.removeprefix("seconds/"): v for k, v in line.items() if k.startswith("seconds/")}
    assert set(phases) == {"generation", "tools", "reward", "reference", "training", "saving", "other", "step"}
    assert sum(phases.values()) - phases["step"] == pytest.approx(phases["step"], abs=0.01)
    assert min(phases.values()) >= 0 and phases["training"] > 0
    assert "step 2/2  R " in capsys.readouterr().err
    events = EventAccumulator(str(next((tmp_path / "run/runs").iterdir()))).Reload()
    assert {"train/rrvf/exec_rate", "train/seconds/tools"} <= set(events.Tags()["scalars"])
    pages = sorted((tmp_path / "run/episodes").iterdir())
    assert [p.name for p in pages] == ["step-00001.html", "step-00002.html"]
    # Four episodes: four targets, and a draft and a final picture for the two that ran.
    assert pages[0].read_text().count("data:image/webp") == 4 + 2 * 2


def test_the_line_says_what_people_watch():
    assert progress_line(WELL) == (
        "R +0.50 (vision +0.40 format +0.90 tool +0.33)  runs 95%  similarity 0.42  turns 2.1  calls 1.1  "
        "judge errors 0%  of drafts 4%  harness errors 0%  pasted 0.01  flat groups 25%  "
        "9.3 s (generation 5.1, tools 1.2, reward 0.8, training 2.0, other 0.2)"
    )


def test_what_was_not_measured_is_no_zero():
    assert "R - (vision - " in progress_line(WELL | {"reward": None, "rewards/vision/mean": None})


def test_the_time_left_counts_only_this_process_steps(monkeypatch):
    clock = iter([0.0, 0.0, 60.0])
    monkeypatch.setattr("rrvf.training.progress.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    progress, state = Progress(stream), SimpleNamespace(global_step=10, max_steps=20, is_world_process_zero=True)
    progress.on_train_begin(None, state, None)
    state.global_step = 15
    progress.on_log(None, state, None, logs=WELL)
    assert stream.getvalue().endswith("  1 min left\n")


def test_phases_add_up(monkeypatch):
    clock = iter([0, 1, 1, 4, 4, 5, 6, 6, 8, 11, 11])
    monkeypatch.setattr("rrvf.training.phases.time.perf_counter", lambda: next(clock))
    phases = Phases()
    with phases("rollout"):
        with phases("generation"):
            pass
        with phases("reference"):
            pass
    with phases("saving"):
        pass
    seconds = phases.take()
    assert seconds["seconds/generation"] == 3 and seconds["seconds/reference"] == 1
    assert seconds["seconds/other"] == 1 and seconds["seconds/saving"] == 2
    assert seconds["seconds/training"] == 4 and seconds["seconds/step"] == 11


def watch(lines, patience=4, multi_turn=True, **config):
    guards, control = Guards(GuardConfig(patience=patience, **config), multi_turn), TrainerControl()
    for step, line in enumerate(lines, 1):
        guards.on_log(None, SimpleNamespace(global_step=step, is_world_process_zero=True), control, logs=line)
    return guards, control


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"tools/call_frequency": 0.0}, "no_tool_calls"),
        ({"frac_reward_zero_std": 1.0}, "flat_groups"),
        ({"rrvf/judge_errors": 0.3}, "judge_errors"),
        ({"rrvf/harness_errors": 0.3}, "harness_errors"),
        ({"rrvf/feedback_errors": 0.3}, "judge_errors"),
        # Real faults with their measured gaps: another base of the vision rope, and picture tokens expanded twice.
        ({"sampling/sampling_logp_difference/mean": 0.26}, "sampler_gap"),
        ({"sampling/sampling_logp_difference/mean": 0.31}, "sampler_gap"),
    ],
)
def test_a_guard_trips_after_its_patience(change, name):
    bad = WELL | change
    assert watch([bad, bad, bad, WELL], stop=(name,))[0].stopped is None
    guards, control = watch([WELL, bad, bad, bad, bad], stop=(name,))
    assert guards.stopped.startswith(name) and control.should_training_stop and control.should_save


def test_the_sampler_gap_of_a_correct_run_trips_nothing():
    gap = "sampling/sampling_logp_difference/mean"
    assert watch([WELL | {gap: 0.013}] * 8)[0].stopped is None
    assert f'"{gap}"' in inspect.getsource(GRPOTrainer)  # TRL's name for it


def test_a_step_of_which_nothing_could_be_rendered_stops_at_once():
    guards, control = watch([WELL, WELL | {"rrvf/harness_errors": 1.0}])
    assert guards.stopped.startswith("harness_errors") and control.should_training_stop and control.should_save


def test_a_reward_that_rises_while_likeness_falls_is_called_out(caplog):
    lines = [WELL | {"reward": 0.5 + i / 10, "rewards/vision/mean": 0.4 - i / 50} for i in range(4)]
    _guards, control = watch(lines)
    assert "hacking" in caplog.text and not control.should_training_stop
    caplog.clear()
    watch([WELL | {"reward": 0.5 + i / 10, "rewards/vision/mean": 0.4 + i / 50} for i in range(4)])
    assert caplog.text == ""


def test_a_warning_is_not_repeated_on_every_step(caplog):
    watch([WELL | {"tools/call_frequency": 0.0}] * 8)
    assert caplog.text.count("no_tool_calls") == 2


def test_single_turn_runs_are_not_asked_for_tool_calls(caplog):
    watch([WELL | {"tools/call_frequency": 0.0}] * 8, multi_turn=False)
    assert caplog.text == ""


def test_a_dead_judge_stops_the_run_and_keeps_its_checkpoint(policy, samples, tmp_path, script):
    judge = Judge()
    judge.score_value = None
    with pytest.raises(UserError, match=r"judge failed.*--resume"):
        run(policy, samples, tmp_path, judge=judge, steps=9, save_every=9, guards={"patience": 2})
    assert (tmp_path / "run/checkpoint-2/trainer_state.json").is_file() and not (tmp_path / "run/final").exists()


class Mute(Judge):
    """A judge that scores answers but fails to compare drafts."""

    def compare(self, reference, generated, domain):
        return Judgement(status="judge_error", reason="bad_reply: the reply has no lines by aspect")


def test_a_judge_without_a_word_for_drafts_is_counted_and_stops_the_run(policy, samples, tmp_path, script):
    script["write"] = lambda turn, row: CALL if turn % 2 == 0 else ANSWER
    with pytest.raises(UserError, match="judge failed on more than 20% of the drafts"):
        run(policy, samples, tmp_path, judge=Mute(), steps=9, save_every=9, guards={"patience": 2})
    line = read_log(tmp_path / "run/log.jsonl")[-1]
    assert (line["rrvf/feedback_errors"], line["rrvf/judge_errors"]) == (1.0, 0.0)

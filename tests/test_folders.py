"""Output folders: one process at a time, one run, and no costly work is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

from rrvf import stages
from rrvf.domains import Canvas
from rrvf.errors import UserError
from rrvf.folders import LOCK, claim, owned
from rrvf.profile import GuardConfig, load_profile
from rrvf.records import Sample
from rrvf.stages import stage_key
from rrvf.study import Study
from rrvf.training.checkpoints import how_made, identity

HOLDER = """
import sys
from pathlib import Path
from rrvf.folders import owned
with owned(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that owns `tmp_path / "run"`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_folder_that_another_process_writes_is_refused_with_its_owner(tmp_path, holder):
    with pytest.raises(UserError, match=f"is being written by process {holder.pid} on "), owned(tmp_path / "run"):
        pass


def test_two_threads_of_a_process_do_not_share_a_folder(tmp_path):
    with owned(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()}"), owned(tmp_path):
        pass


def test_a_killed_owner_lets_go(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with owned(tmp_path / "run"):
        pass


def test_who_waits_gets_the_folder_when_its_owner_ends(tmp_path, holder):
    Timer(0.2, holder.stdin.close).start()
    with owned(tmp_path / "run", wait=True):
        assert holder.stdin.closed


def test_a_lock_that_moved_away_with_its_folder_is_taken_anew(tmp_path, monkeypatch):
    import fcntl

    real, moved = fcntl.flock, []

    def lock(file, how):
        real(file, how)
        if not moved:
            moved.append((tmp_path / "run").rename(tmp_path / "aside"))

    monkeypatch.setattr(fcntl, "flock", lock)
    with owned(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).is_file() and (tmp_path / "aside").is_dir()


@pytest.mark.parametrize("place", ["file/run", "/proc/run", "/dev/null/run"])
def test_a_place_where_no_folder_can_be_is_one_line(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another"), owned(tmp_path / place):
        pass


def test_a_run_that_cost_nothing_yet_may_become_another(tmp_path):
    claim(tmp_path, {"policy": "a"}, begun="log")
    claim(tmp_path, {"policy": "b"}, begun="log")
    (tmp_path / "log").touch()
    with pytest.raises(UserError, match="policy 'b' there, 'a' here"):
        claim(tmp_path, {"policy": "a"}, begun="log")


def test_a_run_that_does_not_say_what_it_is_is_not_continued(tmp_path):
    (tmp_path / "log").touch()
    with pytest.raises(UserError, match="does not say"):
        claim(tmp_path, {"policy": "a"}, begun="log")


@pytest.fixture
def study(tmp_path):
    return Study(load_profile("nano"), results=tmp_path)


def finish(study, kind: str, **inputs) -> Path:
    """Run a stage that writes its inputs to a file."""
    with study.stage("x/y", kind, inputs) as (out, finished):
        if not finished:
            (out / "work").write_text(str(inputs))
    return out


@pytest.mark.parametrize("kind", ["train", "eval"])
def test_work_of_other_inputs_moves_aside_and_is_kept(study, kind, capsys):
    out = finish(study, kind, rate=1)
    finish(study, kind, rate=2)
    aside = next(out.parent.glob("y.stale-*"))
    assert "'rate': 1" in (aside / "work").read_text() and "'rate': 2" in (out / "work").read_text()
    assert str(aside) in capsys.readouterr().out


def test_a_stage_goes_on_after_a_full_disk_left_no_whole_key(study, monkeypatch):
    def cut(path, text):
        path.open("w").close()
        raise OSError(28, "No space left on device")

    out = finish(study, "train", rate=1)
    (out / "finished").unlink()
    with monkeypatch.context() as full, pytest.raises(OSError, match="No space"):
        full.setattr(Path, "write_text", cut)
        finish(study, "train", rate=1)
    assert finish(study, "train", rate=1) == out and not list(out.parent.glob("y.stale-*"))


SAMPLE = Sample(id="a", domain="chart", split="t", image="a.png", sha256="", phash="", source="", licence="")


@pytest.fixture
def by_hand(study, monkeypatch):
    """Writes a policy as `rrvf train` would, with settings of the chart section changed, and lists what is trained."""
    trained = []
    monkeypatch.setattr(Study, "pictures", lambda *_: [])
    monkeypatch.setattr("rrvf.training.apart.run_section", lambda study, kind, name, out: trained.append(out))

    def write(samples=(), **change):
        section = study.profile.grpo["chart"].model_copy(update=change)
        made = how_made(study.profile, section, study.profile.seed, list(samples))
        final = study.results / "train/rrvf_chart/final"
        final.mkdir(parents=True, exist_ok=True)
        (final / "training.json").write_text(json.dumps(made))
        return trained

    return write


def test_a_policy_that_was_trained_by_hand_is_used_where_its_settings_are_the_studys(study, by_hand):
    assert by_hand() == [] and study.train_grpo("chart") and by_hand() == []


def test_a_policy_of_fewer_steps_goes_on(study, by_hand):
    trained = by_hand(steps=5)
    study.train_grpo("chart")
    assert len(trained) == 1


@pytest.mark.parametrize("change", [{"steps": 500}, {"learning_rate": 1.0}])
def test_a_policy_with_other_settings_is_neither_used_nor_replaced(study, by_hand, change):
    trained = by_hand(**change)
    for _ in range(2):
        with pytest.raises(UserError, match="move it away, or use its settings"):
            study.train_grpo("chart")
    assert trained == [] and not (study.results / "train/rrvf_chart/key").exists()


def test_a_training_that_was_begun_with_other_settings_is_not_claimed(study, by_hand):
    trained, place = by_hand(learning_rate=1.0), study.results / "train/rrvf_chart"
    made = json.loads((place / "final/training.json").read_text())
    shutil.rmtree(place / "final")
    (place / "log.jsonl").touch()
    (place / "identity.json").write_text(json.dumps(identity(made)))
    with pytest.raises(UserError, match="move it away"):
        study.train_grpo("chart")
    assert trained == [] and not (place / "key").exists()


def test_a_policy_for_another_canvas_is_moved_aside(study, by_hand, monkeypatch, capsys):
    monkeypatch.setattr(Study, "pictures", lambda *_: [SAMPLE])
    by_hand(samples=[SAMPLE])
    study.train_grpo("chart")
    canvas = study.profile.canvas.model_copy(update={"chart": Canvas(width=100, height=100)})
    Study(study.profile.model_copy(update={"canvas": canvas}), study.results).train_grpo("chart")
    assert "kept as" in capsys.readouterr().out


def test_a_policy_that_was_trained_on_by_hand_after_the_study_stays(study, by_hand, capsys):
    by_hand()
    study.train_grpo("chart")
    sections = {"chart": study.profile.grpo["chart"].model_copy(update={"steps": 99})}
    longer = Study(study.profile.model_copy(update={"grpo": sections}), study.results)
    trained = by_hand(steps=99)
    assert longer.train_grpo("chart").is_dir() and trained == []
    assert "kept as" not in capsys.readouterr().out


@pytest.mark.parametrize(("kind", "kept"), [("train", True), ("eval", False)])
def test_a_trained_policy_survives_a_change_of_code(study, kind, kept, capsys):
    out = finish(study, kind, rate=1)
    settings, code = (out / "key").read_text().split()
    (out / "key").write_text(f"{settings} {code[::-1]}")
    finish(study, kind, rate=1)
    assert (not list(out.parent.glob("y.stale-*"))) == kept
    assert ("earlier version of the code" in capsys.readouterr().out) == kept


@pytest.mark.parametrize(
    ("after", "same"),
    [
        ('def f():\n    """Says more."""\n    return  1  # because\n', True),
        ("def f():\n    return 2\n", False),
        ("def f(): return '1'\n", False),
    ],
)
def test_a_change_of_words_in_the_code_makes_no_stage_stale(tmp_path, monkeypatch, after, same):
    keys = []
    for name, text in {"before": 'def f():\n    """Says it."""\n    return 1\n', "after": after}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.py").write_text(text)
        monkeypatch.setattr(stages, "PACKAGE", tmp_path / name)
        monkeypatch.setattr(stages, "CODE", {"eval": ("code.py",)})
        keys.append(stage_key("eval", {}))
    assert (keys[0] == keys[1]) == same


@pytest.mark.parametrize("change", [{"timeout_s": 1.0}, {"outage_s": 1.0}, {"max_in_flight": 1}])
def test_how_a_judge_is_waited_for_does_not_make_a_policy_stale(study, change):
    other = study.profile.model_copy(update={"judge": study.profile.judge.model_copy(update=change)})
    assert study._inputs("reward", sets=("charts_train",)) == Study(other)._inputs("reward", sets=("charts_train",))
    assert study.profile.judge.identity == other.judge.identity


@pytest.mark.parametrize(
    "change",
    [
        {"save_every": 1},
        {"micro_batch": 1},
        {"vllm_memory": 0.2},
        {"guards": GuardConfig(patience=3)},
        {"web": Canvas(1280, 720)},
    ],
)
def test_what_changes_no_weight_of_a_training_does_not_make_it_stale(study, change, monkeypatch):
    """For example, the canvas of pages has no effect on training on charts."""
    keys = []

    @contextmanager
    def stage(self, name, kind, inputs, is_made):
        keys.append(stage_key(kind, inputs))
        yield self.results, True

    monkeypatch.setattr(Study, "stage", stage)
    given = study.profile
    if "web" in change:
        other = given.model_copy(update={"canvas": given.canvas.model_copy(update=change)})
    else:
        other = given.model_copy(update={"grpo": {"chart": given.grpo["chart"].model_copy(update=change)}})
    for profile in (given, other):
        Study(profile, study.results).train_grpo("chart")
        Study(profile, study.results).train_sft("chart")
    assert keys[:2] == keys[2:]

"""The rehearsal of a GPU profile: its substitutions, its fixtures, and its stages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from PIL import Image

from reproduce import fixtures, rehearse
from reproduce.rehearsal import FILES, Rehearsal, kill_tree, overlay, own_files, rehearsed
from reproduce.rehearsal_stages import promised, stages
from rrvf.data import load_split, prepare
from rrvf.errors import UserError
from rrvf.profile import checked, load_profile
from rrvf.records import Render

ROOT = Path(__file__).parent.parent
HERE = Path("fixtures")
PROFILES = sorted(FILES)


def flat(value, at: str = "") -> dict[str, object]:
    """All settings by their path of keys."""
    if not isinstance(value, dict):
        return {at: value}
    return {key: leaf for name, part in value.items() for key, leaf in flat(part, f"{at}.{name}").items()}


def differing(a: dict, b: dict) -> set[str]:
    return {key for key in a.keys() | b.keys() if key not in a or key not in b or a[key] != b[key]}


def unlisted(found: set[str], listed: list[str]) -> list[str]:
    """The settings in `found` that are not in `listed`, nor in a listed section."""
    return [key for key in sorted(found) if not any(f"{key}.".startswith(f"{path}.") for path in listed)]


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("part", ["profile", "launch", "server"])
def test_the_overlay_lists_what_is_substituted_and_nothing_else(name, part):
    own, used, listed = (flat(files[part]) for files in (own_files(name), rehearsed(name, HERE), overlay(name, HERE)))
    found = differing(own, used)
    assert unlisted(found, list(listed)) == []
    assert [path for path in listed if unlisted(found, [path]) == sorted(found)] == []


@pytest.mark.parametrize("name", PROFILES)
def test_a_setting_that_is_not_listed_is_the_profiles_own(name):
    used = checked(rehearsed(name, HERE)["profile"], "rehearsal")
    found = differing(flat(load_profile(name).model_dump()), flat(used.model_dump()))
    assert unlisted(found, list(flat(overlay(name, HERE)["profile"]))) == []


@pytest.mark.parametrize("name", PROFILES)
def test_the_served_policy_sees_pictures_in_its_own_size(name):
    """At the large judges' picture sizes the shipped policy writes nonsense."""
    served = rehearsed(name, HERE)["server"]
    assert (served["model"], served["mm-processor-kwargs"]) == ("rrvf/nano/checkpoint", None)


@pytest.mark.parametrize("name", PROFILES)
def test_every_part_of_the_overlay_is_told_by_a_stage(name):
    change, profile = overlay(name, HERE), checked(rehearsed(name, HERE)["profile"], "rehearsal")
    told = [".".join(("", *path)) for stage in stages(profile) for path in stage.parts]
    listed = [key for part in ("profile", "launch", "server", "environment") for key in flat(change[part], f".{part}")]
    assert unlisted(set(listed), told) == []
    assert all(stage.substituted(change) for stage in stages(profile))


@pytest.mark.parametrize("name", PROFILES)
def test_every_training_and_every_row_of_the_profile_is_rehearsed(name):
    profile = load_profile(name)
    assert [stage.name for stage in stages(profile)] == [
        "data", "sft chart", "grpo chart, to be killed", "grpo chart", "grpo web", "teacher", "notebooks and tables",
    ]  # fmt: skip
    ours = ["reference", "blank", "base"]
    rows = {f"{set_name}/{p}" for set_name in ("chartmimic", "plot2code") for p in (*ours, "sft", "rrvf", "teacher")}
    assert set(promised(profile)) == rows | {f"websight/{p}" for p in (*ours, "rrvf")}


class WhiteRenderer:
    """Replaces the sandbox: a white picture with a different size for each program."""

    def __init__(self, *_) -> None:
        self._count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        pass

    def render_many(self, codes: list[str]) -> list[Render]:
        return [self._one() for _ in codes]

    def _one(self) -> Render:
        self._count += 1
        out = BytesIO()
        Image.new("RGB", (60 + self._count // 2, 40), "white").save(out, "PNG")  # equal for a script's two renders
        return Render(status="ok", png=out.getvalue(), width=60, height=40, seconds=0.0)


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(fixtures, "Renderer", WhiteRenderer)
    monkeypatch.setattr(fixtures.gallery, "survey", lambda paths, _: [(p, None, item(p)) for p in paths])
    fixtures.write_fixtures(tmp_path / "fixtures")
    return tmp_path / "fixtures"


def item(path: Path):
    return fixtures.gallery._item(path, "import matplotlib.pyplot as plt\nplt.plot()", WhiteRenderer()._one().png)


@pytest.mark.parametrize("name", PROFILES)
def test_the_real_loaders_read_the_fixtures(name, written, tmp_path):
    section = rehearsed(name, written)["profile"]["data"]
    sizes = prepare(section, tmp_path / "data", progress=False)
    assert sizes == {split: settings["count"] for split, settings in section.items()}
    figures = load_split("plot2code", tmp_path / "data")
    assert [s.id for s in figures] == ["row-000", "row-002", "row-003"]  # row 1 is from plotly
    train, test = ({s.id for s in load_split(f"websight_{n}", tmp_path / "data")} for n in (1000, 500))
    assert not train & test
    assert all(
        "savefig" in (tmp_path / "data" / s.split / s.code).read_text()
        for s in load_split("chartmimic_600", tmp_path / "data")
    )


def test_a_folder_of_fixtures_is_not_written_over(written):
    with pytest.raises(UserError, match="exists"):
        fixtures.write_fixtures(written)


def test_a_training_takes_a_launch_file_by_its_path_and_another_environment(tmp_path):
    shutil.copytree(ROOT / "reproduce" / "launch", tmp_path / "reproduce" / "launch")
    accelerate = tmp_path / "other" / "bin" / "accelerate"
    accelerate.parent.mkdir(parents=True)
    accelerate.write_text('#!/usr/bin/env bash\necho "$3"\n')
    accelerate.chmod(0o755)
    (tmp_path / "mine.yaml").touch()
    command = ["bash", "reproduce/launch/train.sh", "sft"]
    configs = [
        subprocess.run([*command, gpus, "paper", "chart", "runs/x"], cwd=tmp_path, env={**os.environ, "VENV": "other"}, capture_output=True, text=True).stdout.strip()
        for gpus in ("mine.yaml", "one_gpu")
    ]  # fmt: skip
    assert configs == [str(tmp_path / "mine.yaml"), str(tmp_path / "reproduce/launch/one_gpu.yaml")]


def test_a_killed_training_leaves_no_process(tmp_path):
    script = f"setsid sleep 60 & echo $! >{tmp_path / 'pid'}; wait"
    child = subprocess.Popen(["bash", "-c", script])
    while not (tmp_path / "pid").exists() or not (text := (tmp_path / "pid").read_text()).strip():
        assert child.poll() is None
    kill_tree(child)
    assert child.returncode == -9
    assert not psutil.pid_exists(int(text)) or psutil.Process(int(text)).status() == psutil.STATUS_ZOMBIE


def test_the_memory_of_a_stage_is_that_of_all_it_started():
    command = [sys.executable, "-c", "held = b'1' * 200_000_000; print('held', flush=True); input()"]
    with rehearse.peak_memory(0.01) as held:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child.stdout.readline()
        before = len(held)
        while len(held) < before + 2:
            assert child.poll() is None
        child.communicate(b"\n")
    assert max(held) - held[0] > 120_000_000  # not 200 MB: shared pages weigh less while others map them


def test_a_real_judge_at_the_profiles_address_is_left_alone(monkeypatch):
    monkeypatch.setattr(rehearse, "answers", lambda url: True)
    with pytest.raises(UserError, match="stop it"), rehearse._judge(SimpleNamespace(profile=load_profile("paper"))):
        pass


def test_a_rehearsal_writes_beside_the_runs_of_the_profile():
    rehearsal = Rehearsal("paper")
    assert rehearsal.folder == ROOT / "runs" / "rehearsal-paper"
    assert rehearsed("paper", rehearsal.fixtures)["profile"]["name"] == rehearsal.folder.name


HOOKED = """
import vllm.model_executor.layers.utils as utils, vllm.model_executor.models.qwen2_5_vl as qwen
from types import SimpleNamespace as S
layer = S()
utils.dispatch_cpu_unquantized_gemm(layer, remove_weight=True)
bases = [qwen.Qwen2_5_VisionTransformer(S(**c)).base for c in ({"rope_parameters": {"rope_theta": 7.0}}, {})]
print(layer.cpu_linear.__name__, bases, qwen.get_rope(rope_parameters={}))
"""


def test_vllms_cpu_form_keeps_its_weights_and_takes_the_checkpoints_base(tmp_path):
    modules = {
        "layers/utils": "def dispatch_cpu_unquantized_gemm(layer, remove_weight): 1 / 0\n",
        "models/qwen2_5_vl": "def get_rope(rope_parameters): return rope_parameters.get('rope_theta')\n"
        "class Qwen2_5_VisionTransformer:\n"
        "    def __init__(self, vision_config): self.base = get_rope(rope_parameters={'partial_rotary_factor': 0.5})\n",
    }
    for name, text in modules.items():
        path = tmp_path / "vllm" / "model_executor" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    torch = "def linear(): pass\nclass nn:\n    class functional:\n        linear = linear\n"
    (tmp_path / "torch.py").write_text(torch)  # the real one is slow
    setup = ROOT / "reproduce" / "setup"
    command = [
        sys.executable,
        "-S",  # without site-packages, which may contain vLLM
        "-c",
        f"import sys; sys.path[:0] = {[str(tmp_path), str(setup)]}; import rrvf_rehearsal\n{HOOKED}",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "linear [7.0, 10000.0] None\n", done.stderr

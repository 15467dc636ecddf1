"""The stages of a rehearsal, in order. Each says which of its parts are real and which are substituted."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reproduce.fixtures import write_fixtures
from reproduce.judge import VLLM
from reproduce.rehearsal import Rehearsal, kill_tree
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.profile import GuardConfig, Profile, training_folder
from rrvf.served import free_port, serving
from rrvf.training.logs import read_log

TRAIN = Path(__file__).parent / "launch" / "train.sh"
POLICY, JUDGE, TABLE_JUDGE = ("profile", "policy"), ("profile", "judge"), ("profile", "evaluation_judge")


@dataclass(frozen=True)
class Stage:
    """One stage. real: its real parts. parts: the overlay's sections that it uses, each as a path of keys.

    run: does the work; returns a remark for the stage's line, or None.
    """

    name: str
    real: str
    parts: tuple[tuple[str, ...], ...]
    run: Callable[[Rehearsal], str | None]

    def substituted(self, change: dict[str, Any]) -> str:
        """The overlay's sections that the stage uses, with the keys that they set."""
        return ", ".join(_named(change, path) for path in self.parts)


def _named(change: dict[str, Any], path: tuple[str, ...]) -> str:
    section: Any = change
    for key in path:
        section = section[key]
    name = ".".join(path[1:] if path[0] == "profile" else path)
    return f"{name} ({', '.join(section)})" if isinstance(section, dict) else name


def stages(profile: Profile) -> list[Stage]:
    """All stages from the archives to the tables. The first GRPO run is killed in the middle and resumed."""
    found = [_data(profile), *(_sft(profile, name) for name in profile.sft)]
    for number, name in enumerate(profile.grpo):
        found += [_killed(profile, name), _grpo(profile, name)] if number == 0 else [_grpo(profile, name)]
    return [*found, _teacher(profile), _notebooks(profile)]


def _data(profile: Profile) -> Stage:
    def run(rehearsal: Rehearsal) -> None:
        write_fixtures(rehearsal.fixtures)
        rehearsal.run("data", sys.executable, "-m", "rrvf", "data", "prepare", "--profile", rehearsal.file("profile"))

    parts = (("profile", "workers"), *(("profile", "data", name) for name in profile.data))
    return Stage("data", "the loaders of every set, manifests and their check", parts, run)


def _train(rehearsal: Rehearsal, method: str, name: str) -> tuple[list[str | Path], Path]:
    """The command of a training, as a user types it, and its output folder, where `make reproduce` expects it."""
    out = rehearsal.folder / training_folder(method, name)
    return ["bash", TRAIN, method, rehearsal.file("launch"), rehearsal.file("profile"), name, out], out


def _sft(profile: Profile, name: str) -> Stage:
    def run(rehearsal: Rehearsal) -> str:
        command, out = _train(rehearsal, "sft", name)
        rehearsal.run(f"sft {name}", *command)
        return _whole(out, profile.sft[name].steps)

    data = ("profile", "data", profile.sft[name].train_set)
    parts = (POLICY, data, ("profile", "sft", name), ("launch",), ("environment",))
    return Stage(
        f"sft {name}",
        "train.sh, accelerate as launched (paper: DeepSpeed's ZeRO-2), TRL's SFT, checkpoints",
        parts,
        run,
    )


def _rollouts(profile: Profile, name: str) -> tuple[tuple[str, ...], ...]:
    config = profile.grpo[name]
    data = (("profile", "data", split) for split in config.train_sets)
    return (POLICY, JUDGE, *data, ("profile", "grpo", name), ("launch",), ("environment",))


def _killed(profile: Profile, name: str) -> Stage:
    def run(rehearsal: Rehearsal) -> str:
        command, out = _train(rehearsal, "grpo", name)
        child = rehearsal.start(f"grpo {name}", *command)
        try:
            while not list(out.glob("checkpoint-*/trainer_state.json")):
                if child.poll() is not None:
                    raise UserError(
                        f"grpo {name} ended before its first checkpoint: see {rehearsal.log(f'grpo {name}')}"
                    )
                time.sleep(0.1)
        finally:
            rehearsal.killed_cpu += kill_tree(child)
        return f"killed after {len(read_log(out / 'log.jsonl'))} of {profile.grpo[name].steps} steps"

    real = "train.sh, accelerate as launched, TRL's GRPO, vLLM inside each process, sandbox, judge over HTTP"
    return Stage(f"grpo {name}, to be killed", real, _rollouts(profile, name), run)


def _grpo(profile: Profile, name: str) -> Stage:
    def run(rehearsal: Rehearsal) -> str:
        command, out = _train(rehearsal, "grpo", name)
        resumed = out.exists()
        rehearsal.run(f"grpo {name}", *command)
        said = _whole(out, profile.grpo[name].steps)
        gap = max(line.get("sampling/sampling_logp_difference/mean", 0.0) for line in read_log(out / "log.jsonl"))
        if gap > GuardConfig().sampler_gap:
            raise UserError(f"grpo {name}: vLLM's log probabilities are {gap:.2f} away from the trainer's")
        return f"{'resumed, ' if resumed else ''}{said}, sampler gap {gap:.3f}"

    real = (
        "the same command, from the last checkpoint" if name == next(iter(profile.grpo)) else "as above, in this domain"
    )
    return Stage(f"grpo {name}", real, _rollouts(profile, name), run)


def _whole(out: Path, steps: int) -> str:
    """The number of steps as text. Raises UserError unless the log has each step once and the policy is saved."""
    logged = [int(line["step"]) for line in read_log(out / "log.jsonl") if "loss" in line]
    if logged != list(range(1, steps + 1)) or not (out / "final" / "model.safetensors").is_file():
        raise UserError(f"{out} is not whole: its log has the steps {logged} of {steps}")
    return f"{steps} steps"


def _teacher(profile: Profile) -> Stage:
    sets = [name for name, config in profile.evaluations.items() if config.table in (1, 2)]

    def run(rehearsal: Rehearsal) -> str:
        from rrvf.judge.client import JudgeClient
        from rrvf.study import Study

        port = free_port()
        url, log = f"http://127.0.0.1:{port}/v1", rehearsal.log("teacher")
        study = Study(rehearsal.profile, rehearsal.folder, rehearsal.folder / "data")
        name = rehearsal.change["server"]["served-model-name"]
        with serving([*VLLM, "--config", str(rehearsal.file("server")), "--port", str(port)], url, log):
            with log.open("a") as words, redirect_stderr(words):
                for set_name in sets:
                    out = rehearsal.folder / "eval" / set_name / "teacher"
                    study.evaluate_model(set_name, "teacher", f"{url}#{name}", out)
            with JudgeClient(url, timeout_s=300) as judge:
                picture = next(rehearsal.folder.glob(f"data/{profile.evaluations[sets[0]].dataset}/*.png")).read_bytes()
                asked = judge.score(picture, picture, CHART.name)
        return f"asked as the judge it says: {asked.status}{f' ({asked.reason})' if asked.reason else ''}"

    parts = (("server",), JUDGE, TABLE_JUDGE, *(("profile", "evaluations", name) for name in sets), ("environment",))
    return Stage("teacher", "vLLM's server with the judge's file, pictures over HTTP, evaluation", parts, run)


def _notebooks(profile: Profile) -> Stage:
    def run(rehearsal: Rehearsal) -> str:
        rehearsal.run("notebooks", sys.executable, "-m", "reproduce", "--profile", rehearsal.file("profile"))
        missing = [row for row in promised(rehearsal.profile) if not (rehearsal.folder / "eval" / row).is_dir()]
        if missing:
            raise UserError(f"the tables lack {', '.join(missing)}")
        return f"{len(list(rehearsal.folder.glob('notebooks/*.ipynb')))} notebooks, {len(promised(profile))} rows"

    parts = (
        POLICY,
        JUDGE,
        TABLE_JUDGE,
        ("profile", "name"),
        *(("profile", "evaluations", name) for name in profile.evaluations),
    )
    real = "make reproduce's driver, papermill, every evaluation, tables, claims, sample browser"
    return Stage("notebooks and tables", real, (*parts, ("environment",)), run)


def promised(profile: Profile) -> list[str]:
    """All rows that the tables of a profile should have, as SET/POLICY."""
    from rrvf.study import Study

    study = Study(profile)
    rows = {name: study.policies(name) for name in profile.evaluations}
    return [
        f"{name}/{policy}"
        for name, policies in rows.items()
        for policy in (*policies, *(["teacher"] if profile.evaluations[name].table in (1, 2) else []))
    ]

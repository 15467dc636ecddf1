"""The substitutions of a rehearsal: `rehearsal.yaml` over a profile and its files for training and for the judge."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from rrvf.data import DataConfig
from rrvf.errors import UserError
from rrvf.folders import make
from rrvf.profile import Profile, checked, laid_over, load_profile, profile_file

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
OVERLAY = HERE / "rehearsal.yaml"
#: The profiles that can be rehearsed, each with its file in reproduce/launch and in reproduce/judges.
FILES = {
    "paper": {"launch": "eight_gpus", "server": "72b"},
    "gpu": {"launch": "one_gpu", "server": "7b"},
}


def overlay(profile: str, fixtures: Path) -> dict[str, dict[str, Any]]:
    """The substituted settings for `profile`, by part: profile, launch, server, environment."""
    text = OVERLAY.read_text().replace("{profile}", profile).replace("{fixtures}", str(fixtures))
    parts = yaml.safe_load(text)
    return parts | {part: parts[part][file] for part, file in FILES[profile].items()}


def rehearsed(profile: str, fixtures: Path) -> dict[str, dict[str, Any]]:
    """The settings of a rehearsal by part (profile, launch, server): the original files with the overlay over them.

    Raises UserError if the overlay does not fit them.
    """
    own, change = own_files(profile), overlay(profile, fixtures)
    files = {part: laid_over(settings, change[part]) for part, settings in own.items()}
    DataConfig.read(checked(files["profile"], OVERLAY.name).data)
    return files


def own_files(profile: str) -> dict[str, dict[str, Any]]:
    """The original settings of the same three files."""
    launch, server = FILES[profile].values()
    paths = {
        "profile": profile_file(profile),
        "launch": HERE / "launch" / f"{launch}.yaml",
        "server": HERE / "judges" / f"{server}.yaml",
    }
    return {part: yaml.safe_load(path.read_text(encoding="utf-8")) for part, path in paths.items()}


class Rehearsal:
    """One rehearsal: its folder, its files and its commands."""

    def __init__(self, name: str) -> None:
        self.name, self.folder = name, REPOSITORY / "runs" / f"rehearsal-{name}"
        self.fixtures, self.logs = self.folder / "fixtures", self.folder / "logs"
        self.change = overlay(name, self.fixtures)
        self.killed_cpu = 0.0  # CPU seconds of killed processes, which are not counted elsewhere

    def begin(self) -> None:
        """Empty the folder, write the three files to it, and set the environment of all later commands."""
        shutil.rmtree(self.folder, ignore_errors=True)
        make(self.logs)
        for part, settings in rehearsed(self.name, self.fixtures).items():
            if part == "server":  # vLLM takes no null
                settings = {key: value for key, value in settings.items() if value is not None}
            self.file(part).write_text(yaml.safe_dump(settings, sort_keys=False))
        os.environ.update(self.change["environment"], RRVF_DATA=str(self.folder / "data"), VENV=sys.prefix)

    def file(self, part: str) -> Path:
        """The path of the profile, launch or server file."""
        return self.folder / f"{part}.yaml"

    @property
    def profile(self) -> Profile:
        """The rehearsed profile: paper or gpu with `rehearsal.yaml` over it."""
        return load_profile(str(self.file("profile")))

    def log(self, name: str) -> Path:
        """The log file of a stage."""
        return self.logs / f"{name.replace(' ', '_')}.log"

    def start(self, name: str, *command: str | Path) -> subprocess.Popen:
        """Start a command of stage `name`, with its output in the stage's log."""
        with self.log(name).open("ab") as words:
            return subprocess.Popen([str(word) for word in command], cwd=REPOSITORY, stdout=words, stderr=words)

    def run(self, name: str, *command: str | Path) -> None:
        """Run a command of stage `name` to its end. Raises UserError with the last line of its log if it fails."""
        child = self.start(name, *command)
        try:
            failed = child.wait()
        finally:
            kill_tree(child)
        if failed:
            lines = self.log(name).read_text(errors="replace").strip().splitlines()
            raise UserError(f"{name} failed ({lines[-1][:200] if lines else 'no output'}): see {self.log(name)}")


def kill_tree(child: subprocess.Popen) -> float:
    """Kill a process and all its descendants, as a lack of memory or a lost node does. Returns their CPU seconds.

    0 if the process has already ended: its parent then counts these seconds.
    """
    try:
        parent = psutil.Process(child.pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    seconds = 0.0
    for process in family:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            seconds += sum(process.cpu_times()[:2])  # user and system time, without children
            process.kill()
    child.wait()
    psutil.wait_procs(family, timeout=30)
    return seconds

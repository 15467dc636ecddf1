"""What a rehearsal substitutes: `rehearsal.yaml`, laid over a profile and the files that it trains and judges with."""

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
from rrvf.profile import Profile, checked, load_profile, profile_file

HERE = Path(__file__).parent
REPOSITORY = HERE.parent
OVERLAY = HERE / "rehearsal.yaml"
#: The profiles that can be rehearsed, with the file of reproduce/launch and of reproduce/judges that each needs.
FILES = {
    "paper": {"launch": "eight_gpus", "server": "72b"},
    "gpu": {"launch": "one_gpu", "server": "7b"},
}


def overlay(profile: str, fixtures: Path) -> dict[str, dict[str, Any]]:
    """What is substituted for `profile`, by part: profile, launch, server, environment."""
    text = OVERLAY.read_text().replace("{profile}", profile).replace("{fixtures}", str(fixtures))
    parts = yaml.safe_load(text)
    return parts | {part: parts[part][file] for part, file in FILES[profile].items()}


def rehearsed(profile: str, fixtures: Path) -> dict[str, dict[str, Any]]:
    """The three files as a rehearsal uses them, by part: the profile's own settings with the overlay over them.

    UserError where the overlay does not fit.
    """
    own, change = own_files(profile), overlay(profile, fixtures)
    files = {part: laid_over(settings, change[part]) for part, settings in own.items()}
    DataConfig.read(checked(files["profile"], OVERLAY.name).data)
    return files


def own_files(profile: str) -> dict[str, dict[str, Any]]:
    """The same three as they stand in the repository."""
    launch, server = FILES[profile].values()
    paths = {
        "profile": profile_file(profile),
        "launch": HERE / "launch" / f"{launch}.yaml",
        "server": HERE / "judges" / f"{server}.yaml",
    }
    return {part: yaml.safe_load(path.read_text(encoding="utf-8")) for part, path in paths.items()}


def laid_over(settings: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`settings` with `change` over them, section by section."""
    merged = dict(settings)
    for key, value in change.items():
        merged[key] = laid_over(settings.get(key) or {}, value) if isinstance(value, dict) else value
    return merged


class Rehearsal:
    """One rehearsal on disk: the files that it uses, and how it runs a command."""

    def __init__(self, name: str) -> None:
        self.name, self.folder = name, REPOSITORY / "runs" / f"rehearsal-{name}"
        self.fixtures, self.logs = self.folder / "fixtures", self.folder / "logs"
        self.change = overlay(name, self.fixtures)
        self.killed_cpu = 0.0  # seconds of those that were killed, which nobody else counts

    def begin(self) -> None:
        """An empty folder with the three files, and the environment of all that is started from here."""
        shutil.rmtree(self.folder, ignore_errors=True)
        make(self.logs)
        for part, settings in rehearsed(self.name, self.fixtures).items():
            if part == "server":  # vLLM takes no null
                settings = {key: value for key, value in settings.items() if value is not None}
            self.file(part).write_text(yaml.safe_dump(settings, sort_keys=False))
        os.environ.update(self.change["environment"], RRVF_DATA=str(self.folder / "data"), VENV=sys.prefix)

    def file(self, part: str) -> Path:
        """The profile, launch or server file."""
        return self.folder / f"{part}.yaml"

    @property
    def profile(self) -> Profile:
        """The profile as it is rehearsed: the paper's or the gpu one with `rehearsal.yaml` laid over it."""
        return load_profile(str(self.file("profile")))

    def log(self, name: str) -> Path:
        """Where a stage's words go."""
        return self.logs / f"{name.replace(' ', '_')}.log"

    def start(self, name: str, *command: str | Path) -> subprocess.Popen:
        """A command of stage `name`."""
        with self.log(name).open("ab") as words:
            return subprocess.Popen([str(word) for word in command], cwd=REPOSITORY, stdout=words, stderr=words)

    def run(self, name: str, *command: str | Path) -> None:
        """The same, to its end. UserError with its last words where it fails."""
        child = self.start(name, *command)
        try:
            failed = child.wait()
        finally:
            kill_tree(child)
        if failed:
            lines = self.log(name).read_text(errors="replace").strip().splitlines()
            raise UserError(f"{name} failed ({lines[-1][:200] if lines else 'no output'}): see {self.log(name)}")


def kill_tree(child: subprocess.Popen) -> float:
    """End a process with all that it started, as a full memory or a lost node does; gives their seconds of CPU.

    Nothing where it has ended: those seconds its parent knows.
    """
    try:
        parent = psutil.Process(child.pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    seconds = 0.0
    for process in family:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            seconds += sum(process.cpu_times()[:2])  # its own, as user and as system
            process.kill()
    child.wait()
    psutil.wait_procs(family, timeout=30)
    return seconds

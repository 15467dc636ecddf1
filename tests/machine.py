"""A simulated machine for `reproduce/setup/install.sh`: copies of the files it reads, stubs of the commands it calls.

Nothing is installed: the stubs record their calls, and fail if a test sets that.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
COMMANDS = (
    "bash cat chmod cp cut df dirname env find flock grep head id ls mkdir pwd rm sed sh sha256sum tail timeout touch"
)

PYTHON = """#!/usr/bin/env bash
case "$1 $2" in
    "-c import sys;"*) echo "$0" ;;
    "-m venv") env=${@: -1}; mkdir -p "$env/bin"; cp "$0" "$env/bin/python" ;;
    "-m pip") echo -e "${PIP_SETTINGS:-}" ;;
    "-m rrvf.chromium") [ -z "${NO_CHROMIUM:-}" ] && echo "$CHROMIUM" ;;
    *) exit 0 ;;
esac
"""

UV = """#!/usr/bin/env bash
[ "$1" = --version ] && exit 0
echo "$*" >> "$CALLS"
case "$*" in *${KILL:-nothing}*) kill -9 $PPID ;; esac
for word in ${FAIL:-}; do
    case "$*" in *$word*) echo "${SAYS:-error: it failed}" >&2; exit 1 ;; esac
done
exit 0
"""


class Machine:
    """A machine with Python 3.11, uv and a Chromium, without apt, GPU and wheels."""

    def __init__(self, root: Path) -> None:
        self.root, self.bin, self.calls_file = root / "project", root / "bin", root / "calls"
        shutil.copytree(REPOSITORY / "reproduce" / "setup", self.root / "reproduce" / "setup")
        for path in (*REPOSITORY.glob("requirements*.lock"), REPOSITORY / "pyproject.toml"):
            shutil.copy(path, self.root / path.name)
        self.bin.mkdir()
        for command in COMMANDS.split():
            os.symlink(shutil.which(command), self.bin / command)
        self.python = self.script(self.bin / "python3.11", PYTHON)
        self.chromium = self.script(root / "chromium", "#!/usr/bin/env bash\nexit 0\n")
        uv = self.script(self.root / ".cache" / "tools" / "bin" / "uv", UV)
        lock = self.root / "reproduce" / "setup" / "uv.lock"
        digest = subprocess.run(["sha256sum"], stdin=lock.open(), capture_output=True, check=True).stdout
        (uv.parents[1] / "stamp").write_bytes(digest)

    def script(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def set_up(self, *arguments: str, umask: int = 0o022, **settings: str) -> subprocess.CompletedProcess:
        """Run install.sh; `calls` then holds the calls of uv."""
        self.calls_file.write_text("")
        environment = {"PATH": str(self.bin), "CALLS": str(self.calls_file), "CHROMIUM": str(self.chromium), **settings}
        script = self.root / "reproduce" / "setup" / "install.sh"
        return subprocess.run(
            ["bash", script, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            umask=umask,
        )

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()

    def asked(self, *words: str) -> list[str]:
        """The calls that contain all of `words`."""
        return [call for call in self.calls if all(word in call for word in words)]

"""Host side of the chart sandbox: one zygote process, and its children, each ready to run one script."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import stat
import subprocess
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from rrvf.errors import HarnessError, UserError
from rrvf.places import PLOT, SETUP

_MAIN = Path(__file__).parent / "sandbox" / "main.py"
_START_S = 300.0
ACCEPT = "RRVF_ACCEPT_WEAK_SANDBOX"


def plot_python() -> Path:
    """The plotting runtime's interpreter: `RRVF_PLOT_PYTHON`, or the one that `make setup` or `rrvf setup` built.

    Raises UserError if there is none.
    """
    python = Path(os.environ.get("RRVF_PLOT_PYTHON", PLOT / "bin" / "python"))
    if not python.exists():
        raise UserError(f"no plotting runtime at {python}: run `{SETUP}`, or set RRVF_PLOT_PYTHON")
    # Resolve the folder, because the sandbox's rules name paths. The interpreter's own link stays.
    python = python.parent.resolve() / python.name
    if os.geteuid() == 0:
        _check_readable(python.parents[1])
    return python


def _check_readable(runtime: Path) -> None:
    """Raise UserError if only root can read the runtime (installed with umask 077).

    Charts are drawn by users without rights.
    """
    for font in runtime.glob("lib/*/site-packages/matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf"):
        above = [p for p in font.parents if p.is_relative_to(runtime)]
        if not all(p.stat().st_mode & stat.S_IROTH for p in (font, *above)):
            raise UserError(
                f"only root can read {runtime}, but charts are drawn by other users: run `chmod -R a+rX {runtime}`"
            )


@dataclass
class Child:
    """A locked-in process that waits for a job on `socket`. `status` resolves to its exit status when it has died."""

    socket: socket.socket
    pidfd: int
    status: Future[int] = field(default_factory=Future)

    def kill(self) -> None:
        """Kill it, if it still lives, with its whole process namespace."""
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Kill it with all that it started, and close its descriptors."""
        if self.pidfd >= 0:
            self.kill()
            self.socket.close()
            os.close(self.pidfd)
            self.pidfd = -1


def missing_means() -> dict[str, str]:
    """The means of isolation that this machine lacks, each with the reason."""
    process, control = _start(frozenset())
    try:
        return _await(process, control)["missing"]
    finally:
        control.close()
        process.kill()
        process.communicate()


class Zygote:
    """A running zygote. `take` and `replace` are thread-safe. `missing` names the means that this machine lacks.

    Raises UserError if `accepted` does not name every missing means.
    """

    def __init__(
        self, spare: int, accepted: frozenset[str] = frozenset(), without: frozenset[str] = frozenset()
    ) -> None:
        self._idle: queue.SimpleQueue[Child | str | None] = queue.SimpleQueue()
        self._children: dict[int, Child] = {}
        self.alive = True
        self._process, self._control = _start(without)
        self._reader = threading.Thread(target=self._read, name="rrvf-zygote", daemon=True)
        try:
            self.missing: dict[str, str] = _await(self._process, self._control)["missing"]
            _refuse(self.missing, accepted)
            _await(self._process, self._control)
        except BaseException:
            self._process.kill()
            self.close()
            raise
        self._reader.start()
        for _ in range(spare):
            self._fork(touched=True)

    def take(self, timeout_s: float) -> Child:
        """A child that waits for a job. Raises HarnessError if the zygote died or could not create one."""
        try:
            child = self._idle.get(timeout=timeout_s)
        except queue.Empty:
            raise HarnessError(f"no worker was ready within {timeout_s:.0f} s") from None
        if child is None:
            self._idle.put(None)  # for the next caller
            raise HarnessError("its zygote process died")
        if isinstance(child, str):
            self._fork(touched=False)
            raise HarnessError(child)
        if child.status.done():  # the machine killed it while it waited
            self.replace(child, touched=False)
            return self.take(timeout_s)
        return child

    def replace(self, child: Child, touched: bool) -> None:
        """End `child` and order a new one. A `touched` child costs more processor time now and replies sooner."""
        child.close()
        self._fork(touched)

    def close(self) -> None:
        """End the zygote and every child. A running render's descriptors are closed by its `replace`."""
        self.alive = False
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader.ident:
            self._reader.join()
        self._process.stderr.close()
        self._control.close()
        with contextlib.suppress(queue.Empty):
            while True:
                child = self._idle.get_nowait()
                if isinstance(child, Child):
                    child.close()
        self._idle.put(None)

    def _fork(self, touched: bool) -> None:
        with contextlib.suppress(OSError):
            self._control.send(b"touched" if touched else b"fork")

    def _read(self) -> None:
        """Receive children and deaths until the zygote ends, then wake all waiting callers."""
        while True:
            try:
                message, fds, _, _ = socket.recv_fds(self._control, 1 << 16, 2)
            except OSError:
                message = b""
            if not message:
                break
            self._note(json.loads(message), fds)
        self.alive = False
        for child in list(self._children.values()):
            with contextlib.suppress(Exception):
                child.status.set_result(-signal.SIGKILL)
        self._idle.put(None)

    def _note(self, message: dict, fds: list[int]) -> None:
        if "failed" in message:
            self._idle.put(message["failed"])
        elif "child" in message and len(fds) < 2:  # the kernel dropped a descriptor; closing the other ends the child
            for fd in fds:
                os.close(fd)
            self._idle.put("this process cannot open more files: raise `ulimit -n`")
        elif "child" in message:
            child = Child(socket.socket(fileno=fds[0]), fds[1])
            self._children[message["child"]] = child
            self._idle.put(child)
        else:
            child = self._children.pop(message["dead"], None)
            if child:
                child.status.set_result(message["status"])


def _await(process: subprocess.Popen, control: socket.socket) -> dict:
    """The next message of a starting zygote. Raises UserError if none comes."""
    control.settimeout(_START_S)
    try:
        message = control.recv(1 << 16)
    except TimeoutError:
        message = b""
    control.settimeout(None)
    if not message:
        process.kill()
        last = process.stderr.read().decode(errors="replace").strip().splitlines()[-1:]
        raise UserError(
            f"the plotting runtime does not start ({' '.join(last)}): run `{SETUP}` again, and see `ulimit -a`"
        )
    return json.loads(message)


def _refuse(missing: dict[str, str], accepted: frozenset[str]) -> None:
    if refused := [m for m in missing if m not in accepted]:
        raise UserError(
            f"this machine refuses {', '.join(refused)}, so charts would render with weaker isolation; "
            f"set {ACCEPT}={','.join(missing)} to accept that"
        )


def _start(without: frozenset[str]) -> tuple[subprocess.Popen, socket.socket]:
    python = plot_python()
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [python, "-s", "-P", _MAIN, str(theirs.fileno()), ",".join(sorted(without))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                env=_environment(python),
                cwd="/",
                umask=0o022,  # its children are other users and must be able to enter the folders that it makes
                start_new_session=True,
            )
    except (OSError, MemoryError) as error:
        raise UserError(f"the plotting runtime does not start ({error}): see `ulimit -a`") from None
    return process, ours


def _environment(python: Path) -> dict[str, str]:
    """An environment without the host's variables: one thread, a fixed hash seed, the runtime's own font cache."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "NUMEXPR")}
    cache = python.parents[1] / ".mplconfig"
    return {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "MPLCONFIGDIR": str(cache), "HOME": "/nonexistent",
            "LANG": "C.UTF-8", "TZ": "UTC", **threads}  # fmt: skip

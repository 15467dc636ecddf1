"""The zygote. The host starts it as `python main.py CONTROL_FD WITHOUT`; it forks a locked-in child on request.

Messages on the control socket, one datagram each. From the host: `fork`, or `touched` for a child that draws a figure
while it waits (it replies sooner but costs processor time now). To the host, JSON objects: `missing` and `ready` once
each, `child` with the child's socket and pidfd attached, `failed` with the reason why there is no child, `dead` with a
child's exit status. End of file on the socket ends the zygote and every child.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import isolate
import libraries

_REPLY = 3


class Zygote:
    """The loop that forks children and reports their deaths."""

    def __init__(self, control: socket.socket, walls: isolate.Walls) -> None:
        self._control, self._walls = control, walls
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._number = 0
        self._slots: set[int] = set()
        with open("/proc/self/statm") as stream:
            self._size = int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    def serve(self) -> None:
        """Handle requests and deaths until the host closes its end."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._control:
                    self._bury(key.fd, *key.data)
                elif order := self._control.recv(64):
                    self._fork(touched=order == b"touched")
                else:
                    return

    def _fork(self, touched: bool) -> None:
        slot = next(s for s in range(len(self._slots) + 1) if s not in self._slots)
        try:
            ours, theirs = socket.socketpair()
            self._walls.before_fork(slot)
            pid = os.fork()
        except OSError as error:
            self._control.send(json.dumps({"failed": f"no process for a worker: {error}"}).encode())
            return
        if pid == 0:
            _be_child(theirs.fileno(), slot, self._walls, self._size, touched)
        theirs.close()
        pidfd = os.pidfd_open(pid)
        self._number += 1
        self._slots.add(slot)
        self._selector.register(pidfd, selectors.EVENT_READ, (pid, self._number, slot))
        socket.send_fds(self._control, [json.dumps({"child": self._number}).encode()], [ours.fileno(), pidfd])
        ours.close()

    def _bury(self, pidfd: int, pid: int, number: int, slot: int) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._walls.after_death(slot)
        self._slots.discard(slot)
        self._control.send(json.dumps({"dead": number, "status": os.waitstatus_to_exitcode(status)}).encode())


def _be_child(reply: int, slot: int, walls: isolate.Walls, zygote_size: int, touched: bool) -> None:
    """Lock this process in, wait for one job, run it, exit. Never returns."""
    import job

    begun = False
    try:
        os.dup2(reply, _REPLY)
        walls.enclose(slot)
        os.closerange(_REPLY + 1, 1 << 16)
        if touched:
            libraries.touch()
        task = job.receive(_REPLY)
        walls.limit(task["memory_mb"], task["cpu_s"], task["file_mb"], zygote_size)
        begun = os.write(_REPLY, b"+") == 1  # from here on, a failure may be the script's fault
        job.run(_REPLY, task)
    except BaseException as error:
        if begun:
            job.send(_REPLY, {"outcome": "crash", "message": f"the script broke the sandbox: {error}"})
        else:
            _say_why(error)
    finally:
        os._exit(0)


def _say_why(error: BaseException) -> None:
    """Tell the host that the sandbox failed. The host trusts this message only from a child that has not begun."""
    text = str(error).encode()[:1000]
    os.write(_REPLY, b"-" + len(text).to_bytes(2, "big") + text)


def main() -> None:
    """Enter namespaces, load the libraries, close the file system, serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    walls = isolate.Walls(frozenset(sys.argv[2].split(",")) - {""})
    walls.enter_namespaces()
    walls.find_means()
    control.send(json.dumps({"missing": walls.missing}).encode())
    libraries.load()
    libraries.forget_fonts_outside(isolate.readable_paths())
    import job  # noqa: F401  (children inherit it)

    libraries.spare_sockets()
    libraries.warm()
    zygote = Zygote(control, walls)
    walls.close_file_system()
    os.environ.clear()
    os.environ.update(LANG="C.UTF-8", TZ="UTC", MPLBACKEND="agg")
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"ready": True}).encode())
    silence = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(silence, standard)
    try:
        zygote.serve()
    finally:
        walls.remove()


if __name__ == "__main__":
    main()

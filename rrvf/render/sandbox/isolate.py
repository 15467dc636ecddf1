"""The walls around a chart worker. The zygote raises a first set for itself, and a second set around each child.

The zygote enters new namespaces and replaces the machine's file system with a small read-only one: interpreter,
libraries, fonts. A child adds its own process and mount namespace with a private writable folder, another user id
without capabilities, Landlock, a system call filter and resource limits. `Walls.missing` names the means that the
machine refuses. The host decides whether to render without them.
"""

from __future__ import annotations

import errno
import math
import os
import resource
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable

import kernel
from landlock import Ruleset, abi
from seccomp import Filter

WORK = "/tmp/work"
SCRATCH_OPTIONS = "size=64m,nr_inodes=1000,mode=0700"
FIRST_SLOT_UID = 61_000
_REPLY_RESERVE = 32 << 20  # bytes of memory for the reply of a script that used up its limit
_NEW_ROOT = "/proc"  # every Linux has this folder and no library lies in it; the mount is visible only in our namespace
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def readable_paths() -> list[str]:
    """The paths that a plotting script may read: interpreter, packages, system libraries, fonts and time zones."""
    own = [sys.prefix, sysconfig.get_path("stdlib"), sysconfig.get_config_var("LIBDIR")]
    system = ["/lib", "/lib64", "/usr/lib", "/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/zoneinfo"]
    return [p for p in dict.fromkeys([*own, *system]) if p and os.path.exists(p)]


class Walls:
    """The isolation that the zygote sets up for its children. `without`: means to treat as if they were refused."""

    def __init__(self, without: frozenset[str]) -> None:
        self.missing: dict[str, str] = {}
        self._without = without
        self._root_user = os.geteuid() == 0
        self._own_pid_namespace = -1
        self._scratch = ""
        self._filter: Filter | None = None
        self._ruleset: Ruleset | None = None

    @property
    def namespaces(self) -> bool:
        """Whether the machine grants namespaces."""
        return "namespaces" not in self.missing

    def enter_namespaces(self) -> None:
        """Enter new namespaces and continue as their process 1. The calling process waits for it and exits with it.

        Must run before the first thread starts. If the machine refuses, the calling process continues unchanged.
        """
        error = errno.EPERM if "namespaces" in self._without else _in_a_trial_process(self._unshare)
        if error:
            self.missing["namespaces"] = os.strerror(error)
            return
        self._unshare()
        _continue_as_child()
        self._own_pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def _unshare(self) -> None:
        flags = kernel.NEWNS | kernel.NEWNET | kernel.NEWIPC | kernel.NEWUTS | kernel.NEWPID
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(flags if self._root_user else flags | kernel.NEWUSER)
        if not self._root_user:
            _map_user(user, group)
        kernel.mount("none", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)

    def find_means(self) -> None:
        """Build the system call filter and look for Landlock. Record what is missing in `missing`."""
        try:
            self._filter = Filter() if "seccomp" not in self._without else None
        except KeyError:
            self._filter = None
        if self._filter is None:
            self.missing["seccomp"] = f"no system call filter for {kernel.MACHINE}"
        if "landlock" in self._without or not abi():
            self.missing["landlock"] = "the kernel has no Landlock"

    def close_file_system(self) -> None:
        """Replace the machine's file system with a read-only one that holds `readable_paths` and an empty `WORK`."""
        if not self.namespaces:
            self._scratch = tempfile.mkdtemp(prefix="rrvf-render-")
            os.chmod(self._scratch, 0o711)
            return
        kernel.mount("tmpfs", _NEW_ROOT, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=0755")
        for path in readable_paths():
            _bind(path)
        for device in _DEVICES:
            _bind(device, 0)
        os.makedirs(_NEW_ROOT + WORK, mode=0o755)
        os.chdir(_NEW_ROOT)
        kernel.call("pivot_root", b".", b".")
        kernel.unmount(".")
        os.chdir("/")
        kernel.make_read_only("/", kernel.ATTR_NOSUID)
        if "landlock" not in self.missing:
            # Landlock ignores a rule on a folder that a later mount hides, so the rule is set on the parent of WORK.
            self._ruleset = self._rules(os.path.dirname(WORK))

    def _rules(self, writable: str) -> Ruleset:
        return Ruleset([*readable_paths(), "/dev/urandom", "/dev/zero"], [writable, "/dev/null"])

    def scratch_folder(self, slot: int) -> str:
        """The private folder of the child in `slot`."""
        return WORK if self.namespaces else os.path.join(self._scratch, str(slot))

    def before_fork(self, slot: int) -> None:
        """Let the next child become process 1 of a new process namespace: its death kills all that it started.

        Without namespaces, make its private folder.
        """
        if self.namespaces:
            kernel.setns(self._own_pid_namespace, kernel.NEWPID)
            kernel.unshare(kernel.NEWPID)
        else:
            self.after_death(slot)  # a start that failed left its folder
            os.makedirs(self.scratch_folder(slot), mode=0o700)
            if self._root_user:
                os.chown(self.scratch_folder(slot), FIRST_SLOT_UID + slot, FIRST_SLOT_UID + slot)

    def after_death(self, slot: int) -> None:
        """Remove the files of the child in `slot`. With namespaces its folder vanished with it."""
        if not self.namespaces:
            shutil.rmtree(self.scratch_folder(slot), ignore_errors=True)

    def enclose(self, slot: int) -> None:
        """Lock this child in. The caller then closes all descriptors except 0, 1, 2 and its reply."""
        folder = self.scratch_folder(slot)
        if self.namespaces:
            kernel.unshare(kernel.NEWNS)
            owner = f",uid={FIRST_SLOT_UID + slot},gid={FIRST_SLOT_UID + slot}" if self._root_user else ""
            kernel.mount("tmpfs", folder, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, SCRATCH_OPTIONS + owner)
        os.chdir(folder)
        os.environ.update(HOME=folder, TMPDIR=folder)
        tempfile.tempdir = None  # cached by an earlier call, before this folder existed
        self._give_up_power(slot)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        if "landlock" not in self.missing:
            (self._ruleset or self._rules(folder)).apply()
        for name, bound in (("CORE", 0), ("NPROC", 0), ("NOFILE", 64), ("MEMLOCK", 0)):
            _bound(name, bound, bound)
        if self._filter:
            self._filter.apply()

    def limit(self, memory_mb: int, cpu_s: float, file_mb: int, zygote_bytes: int) -> None:
        """Limit this child's memory (on top of what it inherits), processor time and file size for its one job."""
        memory = zygote_bytes + (memory_mb << 20)
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = math.ceil(used.ru_utime + used.ru_stime + cpu_s)
        _bound("CPU", seconds, seconds)
        _bound("FSIZE", file_mb << 20, file_mb << 20)
        _bound("AS", memory, memory + _REPLY_RESERVE)

    def _give_up_power(self, slot: int) -> None:
        if self._root_user:
            os.setgroups([])
            os.setresgid(*[FIRST_SLOT_UID + slot] * 3)
            os.setresuid(*[FIRST_SLOT_UID + slot] * 3)
        kernel.drop_capabilities()

    def remove(self) -> None:
        """Remove the parent folder of all scratch folders, if there is one."""
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


def _bound(name: str, soft: int, hard: int) -> None:
    """Set a resource limit of this process.

    Raises OSError if the machine's own limit is lower: the script would get less than it was promised.
    """
    try:
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (soft, hard))
    except ValueError:
        raise OSError(
            f"this machine's limit on {name} is below the sandbox's {hard}: raise it (see `ulimit -a`)"
        ) from None


def _in_a_trial_process(action: Callable[[], None]) -> int:
    """Try `action`, which cannot be undone, in a process of its own. Returns its errno, 0 on success."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        action()
        os._exit(0)
    except OSError as error:
        os._exit(error.errno or errno.EPERM)
    finally:
        os._exit(errno.ENOSYS)


def _map_user(user: int, group: int) -> None:
    """Become user nobody inside the namespace. Outside, files still belong to the original user."""
    for file, text in (("setgroups", "deny"), ("uid_map", f"65534 {user} 1"), ("gid_map", f"65534 {group} 1")):
        with open(f"/proc/self/{file}", "w") as stream:
            stream.write(text)


def _continue_as_child() -> None:
    child = os.fork()
    if child:
        os.closerange(0, 256)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)


def _bind(path: str, attributes: int = kernel.ATTR_NODEV) -> None:
    """Mount `path` read-only at the same place below the new root. A symbolic link is copied as a link."""
    target = _NEW_ROOT + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    kernel.mount(path, target, None, kernel.MS_BIND | kernel.MS_REC)
    kernel.make_read_only(target, kernel.ATTR_NOSUID | attributes)

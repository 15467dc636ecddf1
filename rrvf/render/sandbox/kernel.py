"""System calls that Python's `os` lacks, made through ctypes. Linux on x86_64 and aarch64."""

from __future__ import annotations

import ctypes
import os
import platform

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)  # fmt: skip
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
MNT_DETACH = 2
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 38, 22

MACHINE = platform.machine()
_NUMBERS = {
    "x86_64": {"pivot_root": 155, "capset": 126},
    "aarch64": {"pivot_root": 41, "capset": 91},
}
_SHARED = {
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
}
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def call(name: str, *args: object) -> int:
    """Make the system call `name` by its number. Raises OSError."""
    number = _SHARED.get(name) or _NUMBERS[MACHINE][name]
    return _checked(_libc.syscall(ctypes.c_long(number), *args), name)


def unshare(flags: int) -> None:
    """Leave the namespaces in `flags` (CLONE_NEW*) for new ones. Raises OSError if refused."""
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace behind a file descriptor. Raises OSError if refused."""
    _checked(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mount a file system; None for an argument that is left out. The message of the OSError names the target."""
    encoded = [None if s is None else os.fsencode(s) for s in (source, target, kind, options)]
    _checked(_libc.mount(*encoded[:3], ctypes.c_ulong(flags), encoded[3]), f"mount {target}")


def unmount(target: str) -> None:
    """Detach a mount at once, even while it is in use. The message of the OSError names the target."""
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def prctl(option: int, *args: object) -> None:
    """Call prctl with up to four arguments; missing ones are 0. Raises OSError if refused."""
    words = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in [*args, 0, 0, 0, 0][:4]]
    _checked(_libc.prctl(option, *words), "prctl")


def make_read_only(path: str, attributes: int) -> None:
    """Make a mount and everything below it read-only. `attributes` adds nosuid and similar flags."""

    class MountAttr(ctypes.Structure):
        _fields_ = [(n, ctypes.c_uint64) for n in ("set", "clear", "propagation", "userns")]

    attr = MountAttr(ATTR_RDONLY | attributes, 0, 0, 0)
    at_fdcwd, at_recursive = -100, 0x8000
    call("mount_setattr", at_fdcwd, os.fsencode(path), at_recursive, ctypes.byref(attr), ctypes.sizeof(attr))


def drop_capabilities() -> None:
    """Drop every capability of this process. With no_new_privs set, it cannot regain them."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())

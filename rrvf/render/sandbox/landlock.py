"""Landlock: restrict a worker to reading some paths, and to writing one folder."""

from __future__ import annotations

import ctypes
import os

import kernel

# Rights by the ABI version that added them: 1 execute..make_sym, 2 refer, 3 truncate, 5 ioctl on devices.
_READ = 1 << 2 | 1 << 3  # read_file, read_dir
_WRITE = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12  # write, remove dir and file, make dir, file and symlink
_TRUNCATE = 1 << 14
_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_FILE_RIGHTS = 1 << 1 | 1 << 2 | _TRUNCATE


def abi() -> int:
    """The kernel's Landlock ABI version, 0 if it has none."""
    try:
        return kernel.call("landlock_create_ruleset", None, ctypes.c_size_t(0), 1)
    except OSError:
        return 0


class Ruleset:
    """Allow reading below `readable`, and also writing below `writable`. Deny all else, TCP and signals to outside."""

    def __init__(self, readable: list[str], writable: list[str]) -> None:
        version = abi()
        self._handled = _HANDLED[min(version, 5)]
        fields = [self._handled, 3 if version >= 4 else 0, 3 if version >= 6 else 0]
        size = 24 if version >= 6 else 16 if version >= 4 else 8
        self.fd = kernel.call("landlock_create_ruleset", (ctypes.c_uint64 * 3)(*fields), ctypes.c_size_t(size), 0)
        for path in readable:
            self._allow(path, _READ)
        for path in writable:
            self._allow(path, _READ | _WRITE | _TRUNCATE)

    def _allow(self, path: str, rights: int) -> None:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights &= self._handled if os.path.isdir(path) else self._handled & _FILE_RIGHTS
            rule = rights.to_bytes(8, "little") + fd.to_bytes(4, "little")
            kernel.call("landlock_add_rule", self.fd, 1, rule, 0)
        finally:
            os.close(fd)

    def apply(self) -> None:
        """Restrict this process from now on. Needs no_new_privs."""
        kernel.call("landlock_restrict_self", self.fd, 0)

"""The same code gives the same picture: generators that the machine would seed are seeded from a counter.

Clocks run as usual. The reply names the clocks that a program reads, so a picture that may differ each time is known.
"""

from __future__ import annotations

import ast
import itertools
import os
import random
from collections.abc import Iterator

import numpy as np
from numpy.random import bit_generator

_ANY = 9
#: Calls whose value differs at each run, with the largest number of arguments at which it does: `time.ctime(0)` reads
#: no clock.
_UNSEEDED = dict.fromkeys(
    """
    time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns time.process_time
    time.process_time_ns timeit.default_timer datetime.datetime.now datetime.datetime.today datetime.datetime.utcnow
    datetime.date.today pandas.Timestamp.now pandas.Timestamp.today pandas.Timestamp.utcnow uuid.uuid1 os.getpid
    """.split(),
    _ANY,
) | {"time.localtime": 0, "time.gmtime": 0, "time.ctime": 0, "time.asctime": 0, "time.strftime": 1}
#: Calls whose value differs at each run if the argument is "now" or "today".
_TODAY = ("pandas.Timestamp", "pandas.to_datetime", "numpy.datetime64")


def seed() -> None:
    """Seed the global generators with 0, and each later unseeded generator with the next number of a counter from 0.

    numpy's generators draw their seed in one place. `secrets`, `uuid4` and `SystemRandom` read `os.urandom`.
    """
    random.seed(0)
    np.random.seed(0)
    numbers, others, stream = itertools.count(), itertools.count(), random.Random(0)
    set_numpy, set_python = np.random.seed, random.Random.seed

    def seed_numpy(seed=None):
        set_numpy(next(numbers) if seed is None else seed)

    def seed_python(self, a=None, version=2):
        set_python(self, next(others) if a is None else a, version)

    bit_generator.randbits = lambda bits: next(numbers)
    np.random.seed, random.Random.seed = seed_numpy, seed_python
    random.seed = random._inst.seed
    os.urandom = random._urandom = stream.randbytes


def unseeded(tree: ast.Module) -> list[str]:
    """The full names of a program's calls whose value differs at each run."""
    nodes = list(ast.walk(tree))
    names = dict(pair for node in nodes for pair in _imported(node))
    calls = ((_full_name(node.func, names), node.args) for node in nodes if isinstance(node, ast.Call))
    return sorted({name for name, args in calls if _differs(name, args)})


def _differs(name: str, args: list[ast.expr]) -> bool:
    if name in _TODAY:
        return bool(args) and isinstance(args[0], ast.Constant) and args[0].value in ("now", "today")
    return len(args) <= _UNSEEDED.get(name, -1)


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names that an import binds, each with the full name that it refers to."""
    if isinstance(node, ast.Import):
        yield from ((a.asname, a.name) if a.asname else (a.name.split(".")[0],) * 2 for a in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((a.asname or a.name, f"{node.module}.{a.name}") for a in node.names)


def _full_name(node: ast.expr, names: dict[str, str]) -> str:
    """`pd.Timestamp.now` as `pandas.Timestamp.now`. Empty for an expression that is not a chain of names."""
    if isinstance(node, ast.Attribute):
        return f"{_full_name(node.value, names)}.{node.attr}"
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""

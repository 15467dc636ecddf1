r"""Run an evaluation in parts on a Ray cluster with a shared file system, and merge the parts.

    .venv/bin/python reproduce/launch/eval_ray.py runs/whole --parts 4 -- --benchmark chartmimic --policy base

Arguments after `--` go to `rrvf eval`. A lost part is named; run the same command again to continue only the lost
parts. Ray is not a dependency of this project. Install the version that was tested:

    .cache/tools/bin/uv pip install --python .venv/bin/python ray==2.60.0
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

RRVF = (sys.executable, "-m", "rrvf")


def evaluated(part: int, of: int, out: str, words: list[str], folder: str) -> int:
    """Run one part on the machine that Ray chooses, in the caller's working folder. Returns its exit code."""
    command = [*RRVF, "eval", *words, "--shard", f"{part}/{of}", "--out", f"{out}.parts/{part}"]
    return subprocess.run(command, cwd=folder).returncode


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the whole evaluation; its parts are in OUT.parts")
    parser.add_argument("--parts", type=int, required=True)
    parser.add_argument("--gpus", type=float, default=0, help="of each part")
    parser.add_argument("--cpus", type=float, default=2, help="of each part")
    parser.add_argument("words", nargs="+", metavar="--benchmark ...", help="after --: the arguments of `rrvf eval`")
    asked = parser.parse_args()
    try:
        import ray
    except ImportError:
        add = f"`.cache/tools/bin/uv pip install --python {sys.executable} ray==2.60.0`"
        sys.exit(f"eval_ray: Ray is not installed here: run {add}, or use reproduce/launch/eval.slurm")
    out = str(asked.out.resolve())
    Path(f"{out}.parts").mkdir(parents=True, exist_ok=True)
    # The parts of a machine that fails are retried on another.
    part = ray.remote(evaluated).options(num_cpus=asked.cpus, num_gpus=asked.gpus, max_retries=2)
    numbers = range(1, asked.parts + 1)
    started = {number: part.remote(number, asked.parts, out, asked.words, os.getcwd()) for number in numbers}
    lost = [number for number in numbers if not _ended(ray, started[number])]
    if lost:
        named = ", ".join(f"{number}/{asked.parts}" for number in lost)
        sys.exit(f"eval_ray: lost part {named}: run the same command again to run only the lost parts")
    return subprocess.run([*RRVF, "merge", out, *(f"{out}.parts/{number}" for number in numbers)]).returncode


def _ended(ray, started) -> bool:
    try:
        return ray.get(started) == 0
    except ray.exceptions.RayError:
        return False


if __name__ == "__main__":
    sys.exit(main())

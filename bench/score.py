"""How fast pairs are scored: pairs a second on the conformance scripts, with true scripts traced anew and from the cache.

    python bench/score.py [--workers 2] [--count 78] [--protocol fixed] [--scripts FOLDER] [--json FILE]

A pair is a script against the next one of the list. `cold` traces both sides, `cached` the generated side only, which is
what scoring a second policy costs; `metrics` is the scoring of items alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from pathlib import Path

from rrvf.benchmarks.chartmimic import score_folder
from rrvf.benchmarks.chartmimic_scores import score_items
from rrvf.benchmarks.pairs import pair_names

CASES = Path(__file__).parents[1] / "tests" / "conformance" / "chartmimic_cases.json"


def scripts(folder: Path | None, count: int) -> list[str]:
    """The conformance scripts, or a seeded choice of those in a folder."""
    if folder is None:
        return [case["script"] for case in json.loads(CASES.read_text())["cases"]][:count]
    paths = sorted(folder.rglob("*.py"))
    return [p.read_text() for p in random.Random(0).sample(paths, min(count, len(paths)))]


def write_pairs(folder: Path, codes: list[str]) -> None:
    for i, code in enumerate(codes):
        (folder / f"pair_{i:04}.gt.py").write_text(code)
        (folder / f"pair_{i:04}.gen.py").write_text(codes[(i + 1) % len(codes)])


def measure(folder: Path, protocol: str, workers: int) -> dict[str, float]:
    """Seconds of a cold and a cached run over the folder, and of scoring the cached items once more."""
    found, cache = {}, folder / "cache"
    for name in ("cold", "cached"):
        start = time.perf_counter()
        score_folder(folder, folder / "out.json", protocol, workers, cache)
        found[name] = time.perf_counter() - start
    items = [json.loads(path.read_text()) for path in sorted(cache.glob("*.json"))]
    start = time.perf_counter()
    for gold, generated in zip(items, items[1:], strict=False):
        score_items(gold, generated, "pair", protocol)
    found["metrics"] = (time.perf_counter() - start) / max(1, len(items) - 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scripts", type=Path)
    parser.add_argument("--count", type=int, default=78)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--protocol", default="fixed", choices=("official", "fixed", "july2025"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pairs(folder, scripts(options.scripts, options.count))
        seconds, n = measure(folder, options.protocol, options.workers), len(pair_names(folder))
    summary = {
        "pairs": n,
        "workers": options.workers,
        "load": round(os.getloadavg()[0], 1),
        "cold_pairs_per_s": round(n / seconds["cold"], 2),
        "cached_pairs_per_s": round(n / seconds["cached"], 2),
        "metrics_ms_per_pair": round(1e3 * seconds["metrics"], 3),
    }
    print(json.dumps(summary))
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Does an evaluation in four parts give the same table as one run, and how does memory grow with its size?

    python bench/shards.py [--samples 10000] [--real [--keep FOLDER]]

Each run is a separate process. Policy, renderer and judge are stand-ins that answer at once; runner, records, intervals
and merge are real. The parts must give the table of the whole run. Memory may grow by at most 10 KB a sample: its
scores, its line of the manifest, and the 5,000 counts of the bootstrap. With --real only the policy is a stand-in:
`rrvf eval` asks a server that answers generated charts with careless copies of their programs (parts left out, calls
misremembered), renders what it says, and the embedded judge compares. With --keep it continues where it was stopped.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image

from rrvf.benchmarks.merge import merge
from rrvf.benchmarks.registry import ChartMimic
from rrvf.benchmarks.run import Run
from rrvf.benchmarks.runner import evaluate
from rrvf.data.generated import charts
from rrvf.data.manifest import load_split
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.nano.careless import careless
from rrvf.protocol import answer_text
from rrvf.records import Judgement, Provenance, Render, Sample

PARTS = 4
#: Growth of memory per sample, from a tenth of the samples to all.
MOST_KB = 10
#: Modules are loaded once for all runs.
FORK = multiprocessing.get_context("fork")
METRICS = ("text", "layout", "type", "color")
#: The policy of --real. A new port each time would be another policy, and nothing would be continued.
PORT = 8377
CARELESS = f"http://127.0.0.1:{PORT}/v1#careless"
#: Seeds that no other split uses. No programs are left out for the shipped policy, because it does not answer here.
PROFILE = """name: parts
policy: {{model: nano, prompts: nano, dtype: float32}}
canvas:
  chart: {{width: 280, height: 224, dpi: 100, font_size: 8}}
data:
  test: {{kind: generated_charts, count: {count}, seed: 5000000, pretraining: 1}}
evaluations:
  charts: {{benchmark: chartmimic, dataset: test, table: 1, domain: chart, owned_canvas: true, title: parts}}
"""
DRAWN = Render(status="ok", png=b"a picture of some kilobytes " * 200)


class Judge:
    """A judge that gives every answer the same similarity."""

    def score(self, reference: bytes, generated: bytes, domain: str) -> Judgement:
        return Judgement(status="ok", score=0.5)


class Drawn(ChartMimic):
    """ChartMimic's rules with scores that need no render."""

    def __init__(self) -> None:
        self.protocol = "fixed"

    def check(self, reference: str | None) -> None:
        """Accept any reference."""

    def score(self, sample: Sample, reference: str | None, code: str) -> tuple[Render, dict]:
        rng = random.Random(sample.id)
        return DRAWN, {"exec": float(rng.random() < 0.9)} | {name: rng.random() for name in METRICS}


def one(place: Path, count: int, shard: tuple[int, int] | None) -> dict:
    """Run an evaluation in this process. Returns its folder, seconds and memory."""
    root = place / "data"
    root.mkdir(exist_ok=True)
    Image.new("RGB", (16, 16)).save(root / "a.png")
    fields = {"domain": "chart", "split": "t", "image": "a.png", "sha256": "", "phash": "", "source": "", "licence": ""}
    samples = [Sample(id=str(i), **fields) for i in range(count)]
    made_by = Provenance(
        protocol="p", prompt_hash="", judge="", metric_version="", versions={}, seed=0, profile_hash=""
    )
    out = place / (f"part-{shard[0]}" if shard else f"whole-{count}")
    taken = samples[shard[0] - 1 :: shard[1]] if shard else samples
    run = Run(Drawn(), taken, root, Judge(), made_by, out, block=None, shard=shard, set="charts", policy="stand-in")
    begun = time.perf_counter()
    evaluate(run, lambda asked: ("```python\nplt.plot([1, 2, 3])\n```\n" * 20 for _ in asked))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"out": str(out), "seconds": time.perf_counter() - begun, "mb": peak}


def started(place: Path, count: int, part: int = 0) -> dict:
    """Run an evaluation in a child process, to measure its memory alone."""
    answers = FORK.SimpleQueue()
    child = FORK.Process(target=lambda: answers.put(one(place, count, (part, PARTS) if part else None)))
    child.start()
    child.join()
    return answers.get()


class Careless(BaseHTTPRequestHandler):
    """A chat endpoint that answers a chart's picture with a careless copy of its program."""

    answers: dict[str, str]

    @classmethod
    def serve(cls, root: Path) -> None:
        """Answer questions about the charts in `root` until this process ends."""
        seeds = {root / "test" / s.image: int(s.id.removeprefix("chart-")) for s in load_split("test", root)}
        cls.answers = {shown(path.read_bytes()): written(seed) for path, seed in seeds.items()}
        server = ThreadingHTTPServer(("127.0.0.1", PORT), cls)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def do_POST(self) -> None:
        """Answer one question."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        url = next(part["image_url"]["url"] for part in asked["messages"][-1]["content"] if "image_url" in part)
        said = self.answers[shown(base64.b64decode(url.partition(",")[2]))]
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = json.dumps({"id": "a", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        """Print nothing."""


def shown(png: bytes) -> str:
    """A digest of a picture's pixels: the client encodes it anew."""
    return hashlib.sha256(Image.open(io.BytesIO(png)).convert("RGB").tobytes()).hexdigest()


def written(seed: int) -> str:
    """The reply to chart number `seed`."""
    return answer_text(careless(CHART, charts.spec(seed), random.Random(seed)), CHART)


def evaluated(place: Path, count: int, part: int = 0) -> dict:
    """Run an evaluation by `rrvf eval` with real renders. The memory is that of its largest process."""
    out = place / (f"part-{part}" if part else f"whole-{count}")
    shard = ["--shard", f"{part}/{PARTS}"] if part else []
    asked = ["--benchmark", "charts", "--policy", CARELESS, "--limit", str(count), "--out", str(out), *shard]
    return {"out": str(out)} | command(place, "eval", *asked)


def command(place: Path, *words: str) -> dict:
    """Run `rrvf WORDS` with the profile in `place`."""
    begun = time.perf_counter()
    with (place / "log").open("a") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "rrvf", *words, "--profile", str(place / "profile.yaml")],
            env=os.environ | {"RRVF_DATA": str(place / "data")}, stdout=log, stderr=log,
        )  # fmt: skip
        _, status, took = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"rrvf {words[0]} failed: {(place / 'log').read_text().splitlines()[-1]}")
    return {"seconds": time.perf_counter() - begun, "mb": took.ru_maxrss / 1024}


def compared(place: Path, count: int, run) -> bool:
    """Run the whole, a tenth and the parts by `run` and print the results. Returns whether all is as it must be."""
    tenth, whole = run(place, count // 10), run(place, count)
    folders = [place / f"part-{number}" for number in range(1, PARTS + 1)]
    took = [run(place, count, number) for number in (1, 2, 4)]
    try:
        merge(place / "merged", folders)
    except UserError as error:
        print(f"a lost part: {str(error).replace(str(place), '…')}")
    took.append(run(place, count, 3))
    merge(place / "merged", folders)
    joined, table = (json.loads((out / "summary.json").read_text()) for out in (place / "merged", Path(whole["out"])))
    same = joined == table
    print(", ".join(f"{name} {score['value']:.1f}" for name, score in table["metrics"].items()))
    print(f"{PARTS} parts of {count} samples give the whole's table: {same}")
    print(f"seconds: whole {whole['seconds']:.1f}, parts {', '.join(format(t['seconds'], '.1f') for t in took)}")
    growth = 1024 * (whole["mb"] - tenth["mb"]) / (count - count // 10)
    sizes = f"{tenth['mb']:.0f} MB for {count // 10}, {whole['mb']:.0f} MB for {count}"
    print(f"memory: {sizes} ({growth:.1f} KB a sample, at most {MOST_KB})")
    return same and growth <= MOST_KB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--real", action="store_true", help="render and judge generated charts")
    parser.add_argument("--keep", type=Path, help="a folder that keeps all files, to continue from")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = (asked.keep or Path(folder)).resolve()
        place.mkdir(parents=True, exist_ok=True)
        if asked.real:
            (place / "profile.yaml").write_text(PROFILE.format(count=asked.samples))
            print(f"charts built in {command(place, 'data', 'prepare')['seconds']:.0f} s", flush=True)
            Careless.serve(place / "data")
        sys.exit(not compared(place, asked.samples, evaluated if asked.real else started))


if __name__ == "__main__":
    main()

"""Compares the client with vLLM's own benchmark tool: same questions, same concurrency, same server. Prints JSON.

`ratio` is the client's questions per second over the tool's. The two alternate for `--rounds` rounds; medians are used.

.venv/bin/python bench/judge_vllm.py [--questions 64 --concurrency 8 --rounds 3]      (after `make test-vllm`)
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from vllm_on_cpu import PYTHON, running_vllm  # noqa: E402

from rrvf.judge.client import FORMAT, JudgeClient  # noqa: E402
from rrvf.judge.local import encode  # noqa: E402
from rrvf.judge.prompts import load_judge_prompt  # noqa: E402
from rrvf.judge.replies import question  # noqa: E402
from rrvf.judge.scenes import draw_chart, random_chart  # noqa: E402

TOOL = """
import argparse, asyncio
from vllm.benchmarks.serve import add_cli_args, main_async
parser = argparse.ArgumentParser()
add_cli_args(parser)
asyncio.run(main_async(parser.parse_args()))
"""


def pairs(count: int, seed: int) -> list[tuple[bytes, bytes]]:
    """Pairs of charts, in groups of eight that share their reference, as in training."""
    drawn = lambda name: encode(draw_chart(random_chart(random.Random(name))))  # noqa: E731
    references = [drawn(f"{seed} reference {i}") for i in range(-(-count // 8))]
    return [(references[i // 8], drawn(f"{seed} {i}")) for i in range(count)]


def by_client(url: str, asked: list[tuple[bytes, bytes]], concurrency: int) -> float:
    """The client's questions per second."""
    with JudgeClient(url, max_in_flight=concurrency, timeout_s=300) as judge, ThreadPoolExecutor(concurrency) as pool:
        judge.card("chart")
        started = time.perf_counter()
        judged = list(pool.map(lambda pair: judge.score(*pair, "chart"), asked))
        seconds = time.perf_counter() - started
    if bad := [j.reason for j in judged if not j.ok]:
        raise SystemExit(f"{len(bad)} of {len(judged)} questions failed: {bad[0]}")
    return len(asked) / seconds


def by_tool(url: str, asked: list[tuple[bytes, bytes]], concurrency: int, folder: Path) -> float:
    """Questions per second of `vllm bench serve`, with the client's messages, format and sampling."""
    prompt = load_judge_prompt("chart", "score")
    rows = [json.dumps({"content": question(prompt, *pair)[0]["content"]}) for pair in asked]
    (folder / "questions.jsonl").write_text("\n".join(rows))
    extra = {"response_format": FORMAT, "temperature": 0.0, "seed": 0}
    options = {
        "backend": "openai-chat", "endpoint": "/v1/chat/completions", "base-url": url, "model": "nano",
        "tokenizer": "rrvf/nano/checkpoint", "dataset-name": "custom_image", "custom-output-len": "512",
        "dataset-path": folder / "questions.jsonl", "num-prompts": len(asked), "max-concurrency": concurrency,
        "extra-body": json.dumps(extra), "result-dir": folder, "result-filename": "result.json",
    }  # fmt: skip
    flags = ["--save-result", "--disable-tqdm", "--disable-shuffle"]
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    done = subprocess.run([PYTHON, "-c", TOOL, *words, *flags], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"vLLM's tool failed: {done.stderr.strip().splitlines()[-1]}")
    result = json.loads((folder / "result.json").read_text())
    if result["completed"] != len(asked):
        raise SystemExit(f"vLLM's tool got {result['completed']} of {len(asked)} answers")
    return result["request_throughput"]


def main() -> None:
    """Measure both in turn on the same pictures. The first round warms up the server's caches and is not counted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not PYTHON.exists():
        print("bench/judge_vllm.py: skipped, no .venv-vllm (`make test-vllm` builds it)", file=sys.stderr)
        return
    asked, client, tool = pairs(options.questions, 0), [], []
    with running_vllm(Path("reproduce/judges/nano.yaml")) as url, tempfile.TemporaryDirectory() as folder:
        by_client(url, asked, options.concurrency)
        for _ in range(options.rounds):
            client.append(round(by_client(url, asked, options.concurrency), 2))
            tool.append(round(by_tool(url, asked, options.concurrency, Path(folder)), 2))
    ratio = round(statistics.median(client) / statistics.median(tool), 3)
    print(json.dumps({"client_per_second": client, "vllm_bench_per_second": tool, "ratio": ratio}))


if __name__ == "__main__":
    main()

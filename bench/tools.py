"""The tool phase of a batch of 32 episodes with one draft each: RRVF's overlapping tools against stock TRL's.

    python bench/tools.py [--episodes 32] [--repeats 3] [--profile nano]

Both ways are the real trainers, on the same renders and with the same judge; only generation is scripted. They
alternate. The time is that of TRL's tool loop without generation. There are two judges: the embedded one (CPU-bound, so
the ratio is about the number of parallel renders), and one that takes half a second and no CPU, like a large judge on
another machine. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from trl import GRPOTrainer

from rrvf.domains import CHART
from rrvf.judge.child import running_server
from rrvf.judge.client import JudgeClient
from rrvf.policies.local import training_processor
from rrvf.profile import load_profile
from rrvf.protocol import answer_text, tool_call_text
from rrvf.records import Judgement, Sample
from rrvf.render import Renderer
from rrvf.rollout import Tools
from rrvf.study import Study
from rrvf.training.environment import Environment
from rrvf.training.grpo import picture_dataset, prompts_of
from rrvf.training.model import load_policy_model
from rrvf.training.settings import grpo_settings
from rrvf.training.trainer import RRVFTrainer

GROUP = 2


class DistantJudge:
    """A judge that takes half a second for every comparison."""

    def compare(self, reference: bytes, generated: bytes, domain: str) -> Judgement:
        time.sleep(0.5)
        return Judgement(status="ok", feedback="---Comments:\n-**Text**- the title differs.")


class InTurn(Environment):
    """TRL's usual environment: the tool returns when it is done, so calls do not overlap."""

    def render_and_compare(self, call: str) -> str:
        return super().render_and_compare(call)[0].result()

    render_and_compare.__doc__ = Environment.render_and_compare.__doc__


def timed_trainer(stock: bool, study: Study, samples: list[Sample], tools: Tools, out: str) -> Callable[[], float]:
    """A function that plays the batch once and returns the seconds of its tool loop. stock: with TRL's own tools."""
    kind, environment = (GRPOTrainer, InTurn) if stock else (RRVFTrainer, Environment)
    section = study.profile.grpo["chart"]
    batch = len(samples) * GROUP
    config = section.model_copy(update={"group_size": GROUP, "prompts_per_step": len(samples), "micro_batch": batch})
    root = study.data / section.train_set
    targets = {s.id: (root / s.image).read_bytes() for s in samples}
    processor = training_processor(study.profile.policy.model)
    rows = picture_dataset(samples, root, prompts_of(samples, study.profile.policy.prompts, 4), None)
    trainer = kind(
        model=load_policy_model(study.profile),
        args=grpo_settings(config, study.profile, Path(out), [1.0], 0, []),
        train_dataset=rows,
        processing_class=processor,
        reward_funcs=[lambda completions, **_: [0.0] * len(completions)],
        environment_factory=lambda: environment(tools, targets, 4, True),
    )
    turns = scripted_turns(processor.tokenizer, samples, root)
    ended = [0.0]

    def generate(prompt_ids, *_, after_tools: bool = False, **__):
        ended[0] = time.perf_counter()
        return [list(ids) for ids in turns[after_tools]], None

    def play() -> float:
        trainer.model.train()
        trainer._generate_single_turn = generate
        trainer._generate_and_score_completions([rows[i] for i in range(len(samples)) for _ in range(GROUP)])
        return ended[0] - begun[0]

    begun, loop = [0.0], trainer._tool_call_loop

    def timed_loop(*args):
        begun[0] = time.perf_counter()
        trainer._generate_single_turn = partial(generate, after_tools=True)
        return loop(*args)

    trainer._tool_call_loop = timed_loop
    return play


def scripted_turns(tokenizer, samples: list[Sample], root: Path) -> list[list[list[int]]]:
    """Token ids of two turns per episode: a draft (the next sample's program, so that it differs) and the answer."""
    codes = [(root / s.code).read_text() for s in samples]
    drafts = codes[1:] + codes[:1]

    def ids(texts: list[str]) -> list[list[int]]:
        end = [tokenizer.eos_token_id]
        return [tokenizer(t, add_special_tokens=False)["input_ids"] + end for t in texts for _ in range(GROUP)]

    return [ids([tool_call_text(c, CHART) for c in drafts]), ids([answer_text(c, CHART) for c in codes])]


def compare(study: Study, samples: list[Sample], judge, repeats: int) -> dict[str, float]:
    """Median seconds of both ways over alternating repeats, and their ratio."""
    workers = study.profile.workers
    with Renderer("chart", workers, study.limits("chart")) as renderer, tempfile.TemporaryDirectory() as out:
        tools = Tools({"chart": renderer}, judge, threads=workers + study.profile.judge.max_in_flight)
        stock, ours = (timed_trainer(kind, study, samples, tools, out) for kind in (True, False))
        stock(), ours()
        seconds = [(stock(), ours()) for _ in range(repeats)]
        tools.close()
    one, other = (statistics.median(column) for column in zip(*seconds, strict=True))
    return {"stock_s": round(one, 2), "rrvf_s": round(other, 2), "ratio": round(one / other, 2)}


def main() -> None:
    """Both judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", default="nano")
    options = parser.parse_args()
    study = Study(load_profile(options.profile))
    study.prepare_data(progress=False)
    samples = study.split(study.profile.grpo["chart"].train_set)[: options.episodes // GROUP]
    with running_server() as url, JudgeClient(url) as embedded:
        near = compare(study, samples, embedded, options.repeats)
    distant = compare(study, samples, DistantJudge(), options.repeats)
    machine = {"episodes": options.episodes, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    print(json.dumps(machine | {"embedded judge": near, "a judge of 0.5 s": distant}, indent=1))


if __name__ == "__main__":
    main()

"""Measures the nano profile's figures of `rrvf/plan/latencies.yaml` on this machine. Prints YAML.

    python bench/latencies.py [--repeats 3]

Run it on an idle machine, and replace the figures of the `nano` section by its output. Decoding is measured at two
batch sizes, to separate the fixed cost of a token from the cost of each episode.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import torch
import yaml
from peft import get_peft_model
from trl.trainer.utils import entropy_from_logits, selective_log_softmax

from rrvf.judge.child import running_server
from rrvf.judge.client import JudgeClient
from rrvf.pictures import read_picture
from rrvf.policies.local import LocalPolicy
from rrvf.policies.precision import autocasts
from rrvf.policies.tokens import picture_tokens
from rrvf.profile import GRPOConfigSection, Profile, load_profile
from rrvf.render import Renderer
from rrvf.study import Study
from rrvf.training import EPISODES
from rrvf.training.model import lora
from rrvf.training.settings import own_settings

SMALL, LARGE, TOKENS = 16, 64, 160
#: The text of an earlier turn.
EARLIER = "a = 1\n" * 60


def seconds(call: Callable[[], object], repeats: int) -> float:
    """The median seconds of `repeats` calls, after one warm-up call."""
    call()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def decoding(policy: LocalPolicy, pictures: list, repeats: int, section: GRPOConfigSection) -> dict[str, float]:
    """Seconds per token, per token and episode, of an episode's prefill, and per token that is read again.

    Generation is as in training: several episodes of each picture are in one batch.
    """
    pictures = [p for p in pictures[: LARGE // section.group_size] for _ in range(section.group_size)]

    def generate(episodes: int, tokens: int, earlier: str = "") -> Callable[[], object]:
        batch = policy.processor(
            text=[policy.processor.tokenizer.apply_chat_template(_prompt(), tokenize=False) + earlier] * episodes,
            images=pictures[:episodes],
            return_tensors="pt",
        )
        lengths = {"max_new_tokens": tokens, "min_new_tokens": tokens}
        options = (
            own_settings(section, picture_tokens(policy.processor.tokenizer))["generation_kwargs"]
            | lengths
            | {"do_sample": True}
        )
        return lambda: policy.model.generate(**batch, **options)

    with torch.inference_mode():
        first = seconds(generate(LARGE, 1), repeats)
        again = seconds(generate(LARGE, 1, EARLIER), repeats)
        small, large = (seconds(generate(n, TOKENS), repeats) for n in (SMALL, LARGE))
    per_token = [(small - first * SMALL / LARGE) / (TOKENS - 1), (large - first) / (TOKENS - 1)]
    each = (per_token[1] - per_token[0]) / (LARGE - SMALL)
    reread = (again - first) / LARGE / len(policy.processor.tokenizer(EARLIER)["input_ids"])
    decode = max(0.0, per_token[0] - SMALL * each)
    return {"prefill": first / LARGE, "reread": reread, "decode": decode, "decode_each": each}


def training(policy: LocalPolicy, pictures: list, repeats: int, profile: Profile) -> dict[str, float]:
    """Seconds of forward and backward per token, for episodes of prompt and TOKENS, one per picture.

    As in the trainer, with the profile's adapters (if any), autocast, log probabilities and entropies.
    """
    text = policy.processor.tokenizer.apply_chat_template(_prompt(), tokenize=False) + "a = 1\n" * (TOKENS // 4)
    batch = policy.processor(text=[text] * len(pictures), images=pictures, return_tensors="pt")

    adapters = lora(profile)
    model = (get_peft_model(policy.model, adapters) if adapters else policy.model).train()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocasts(profile.policy)):
            logits = model(**batch).logits[:, :-1]
            entropy_from_logits(logits.detach())
            loss = -selective_log_softmax(logits, batch["input_ids"][:, 1:]).mean()
        loss.backward()
        model.zero_grad()

    return {"train": seconds(step, repeats) / batch["input_ids"].numel()}


def rendering(study: Study, repeats: int) -> dict[str, float]:
    """Seconds of one render by domain, without parallel renders, and of the embedded judge's two questions on it."""
    found = {}
    with running_server() as url, JudgeClient(url) as judge:
        for name, section in study.profile.grpo.items():
            samples, root = study.split(section.train_set)[:12], study.data / section.train_set
            with Renderer(section.domain, 1, study.limits(section.domain)) as renderer:
                codes = [(root / s.code).read_text() for s in samples]
                found[name] = seconds(lambda r=renderer, c=codes: [r.render(x) for x in c], repeats) / len(codes)
        pairs = [((root / a.image).read_bytes(), (root / b.image).read_bytes()) for a, b in itertools.pairwise(samples)]
        for question in ("compare", "score"):
            ask = getattr(judge, question)
            found[question] = seconds(lambda a=ask: [a(*pair, section.domain) for pair in pairs], repeats) / len(pairs)
    return found


def _prompt() -> list[dict]:
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Redraw this chart."}]}]


def main() -> None:
    """All figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    study = Study(load_profile("nano"))
    study.prepare_data(progress=False)
    section = study.profile.grpo["chart"]
    samples, root = study.split(section.train_set)[:LARGE], study.data / section.train_set
    pictures = [read_picture(root / s.image) for s in samples]
    policy = LocalPolicy(study.profile.policy.model, study.profile.policy.dtype)
    found = rendering(study, repeats) | decoding(policy, pictures, repeats, section)
    found |= training(policy, pictures[:EPISODES], repeats, study.profile)
    print(yaml.safe_dump({name: float(f"{value:.3g}") for name, value in found.items()}, sort_keys=False))


if __name__ == "__main__":
    main()

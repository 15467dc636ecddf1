"""Rejection-sampling fine-tuning (RFT): a policy learns the best of its own answers, as the judge picks it.

A baseline between SFT and RRVF: it needs no code labels, as RRVF; but it trains on a fixed set of answers, as SFT. To
compare it with RRVF, sample as many answers as RRVF plays episodes.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tqdm import tqdm

from rrvf.benchmarks.lines import append_lines
from rrvf.benchmarks.pictures import extract_code
from rrvf.benchmarks.run import BLOCK
from rrvf.best_of import best_of
from rrvf.domains import domain
from rrvf.policies.address import Settings, open_policy
from rrvf.profile import Profile, RFTConfigSection
from rrvf.protocol import load_prompt
from rrvf.records import Sample, json_lines
from rrvf.references import usable
from rrvf.rollout import Tools


def draw(
    profile: Profile, config: RFTConfigSection, samples: list[Sample], root: Path, tools: Tools, out: Path
) -> Path:
    """Write the untrained policy's best answer to each picture to `out`, one trajectory per line; returns `out`.

    Lines that `out` already has are kept, so a killed call continues. `train_sft` takes the file as its transcripts and
    learns the answers that ran. UserError if no picture is usable, or no answer to any picture could be compared.
    """
    samples = usable(samples, root)
    known = {line["sample_id"] for line in json_lines(out)}
    prompt = load_prompt(domain(config.domain), "direct", profile.policy.prompts).text
    left = profile.judge.gpu_left
    read = partial(extract_code, domain=domain(config.domain))
    settings = Settings(profile.policy.dtype, config.max_new_tokens, gpu_share=left, temperature=config.temperature)
    with ExitStack() as stack:
        policy = None
        for start in tqdm(range(0, len(samples), BLOCK), desc=f"draw {config.samples} answers each", unit="block"):
            block = samples[start : start + BLOCK]
            if all(s.id in known for s in block):
                continue
            policy = policy or open_policy(profile.policy.model, settings, stack)
            best = best_of(config.samples, block, root, prompt, policy.chat, tools, profile.seed, read)
            with append_lines(out) as file:
                file.writelines(t.model_dump_json() + "\n" for t in best if t.sample_id not in known)
    ran = sum((line["final_render"] or {}).get("status") == "ok" for line in json_lines(out))
    print(
        f"drew {config.samples * len(samples)} answers to {len(samples)} pictures; for {ran} pictures the best one runs"
    )
    return out

"""The model card of a trained policy, written from the run's records, ready for the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rrvf.domains import PAPER
from rrvf.policies.names import hub_parts

#: Rows of the learning curve: label, key in the step log, number format.
SHOWN = (
    ("reward", "reward", ".3f"),
    ("programs that ran", "rrvf/exec_rate", ".0%"),
    ("similarity where they ran", "rrvf/similarity_given_exec", ".3f"),
    ("turns", "rrvf/turns", ".2f"),
    ("loss", "loss", ".4f"),
)
METHODS = {
    "grpo": "RRVF: GRPO from pictures alone, with rendering and visual feedback (arXiv 2507.20766)",
    "sft": "supervised training on pictures with their true code",
    "rft": "rejection-sampling fine-tuning: supervised training on its own answers that the judge picked",
    "cold_start": "supervised training on episodes of several turns",
}


def card(made: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> str:
    """Markdown with the hub's metadata. made: `how_made` of the run. log: the lines of its step log."""
    steps = [line for line in log if "loss" in line]
    config, start = made["config"], _start(made["start"])
    domains = PAPER if config["domain"] == "both" else _listed(config["domain"])
    named, sets = " and ".join(domains), ", ".join(_listed(config["train_set"]))
    judge = made["judge"].get("model") or "the embedded judge"
    sampled = made["method"] == "grpo"
    seen = "episodes sampled on the training pictures" if sampled else "the training examples"
    facts = {
        "method": METHODS[made["method"]],
        "started from": start,
        "pictures": f"{sets} ({named}), digest {made['pictures']}",
        "steps": f"{steps[-1]['step'] if steps else config['steps']}",
        "judge": judge if made["method"] in ("grpo", "rft") else "none",
        "seed": made["seed"],
        "profile": f"{made['profile']}, settings {made['settings']}",
        "numbers": made["numbers"],
    }
    parts = [
        f"---\n{yaml.safe_dump(_metadata(made, start), sort_keys=False)}---",
        f"# {named} to code" + (", trained with RRVF" if sampled else ""),
        "A vision-language model that turns a picture into the code that draws it. Made by "
        "[rrvf](https://arxiv.org/abs/2507.20766); this page is generated from the run's records (`training.json`, "
        "`log.jsonl`).",
        "\n".join(["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in facts.items())]),
        "## Training",
        _curve(steps),
        f"The numbers come from {seen}. They are not an evaluation.",
        "## Use",
        "```bash\n"
        + "".join(f"rrvf redraw picture.png --domain {name} --policy FOLDER --out redrawn\n" for name in domains)
        + "```",
        "Do not trust the code that it writes: run it in a sandbox, as `rrvf` does.",
    ]
    return "\n\n".join(parts) + "\n"


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    """A section's name or names, as a sequence."""
    return (value,) if isinstance(value, str) else value


def _start(start: str | Mapping[str, Any]) -> str:
    """The model at the start of the chain: a run may start from the policy of an earlier run."""
    while isinstance(start, Mapping):
        start = start["start"]
    return start


def _metadata(made: Mapping[str, Any], start: str) -> dict[str, Any]:
    hub_id = start.count("/") == 1 and not Path(start).exists() and not start.startswith((".", "/"))
    found = {"library_name": "transformers", "pipeline_tag": "image-text-to-text"}
    found |= {"base_model": hub_parts(start)[0]} if hub_id else {}
    return found | {"tags": ["rrvf", made["method"], "image-to-code"]}


def _curve(steps: Sequence[Mapping[str, Any]]) -> str:
    if not steps:
        return "No step was logged."
    first, last = steps[0], steps[-1]
    rows = [
        f"| {label} | {format(first[key], form)} | {format(last[key], form)} |"
        for label, key, form in SHOWN
        if first.get(key) is not None and last.get(key) is not None
    ]
    return "\n".join([f"| | step {first['step']} | step {last['step']} |", "|---|---:|---:|", *rows])


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")

"""A profile's pictures as the parquet that verl reads: a prompt and a picture a row, and nothing that came from code.

    .venv-verl/bin/python -m reproduce.verl.data --profile paper --section chart --out runs/verl/paper.parquet

Pictures that are missing are built first. Rows stand in the order of the manifest; verl shuffles. A picture that the
context has no room for is made smaller, as in training on TRL; the judge sees the file itself, at the path in the row,
which every node must have.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from rrvf.domains import CHART, domain
from rrvf.errors import UserError
from rrvf.policies.local import load_processor
from rrvf.profile import GRPOConfigSection, load_profile
from rrvf.protocol import load_prompt
from rrvf.records import Sample
from rrvf.references import usable
from rrvf.study import Study
from rrvf.training.pictures import Bound, bound_of

#: verl splits a prompt here and puts the picture in.
PICTURE = "<image>"


def write_parquet(study: Study, config: GRPOConfigSection, out: Path) -> int:
    """Write the pictures of `config` to `out`, whole or not at all; gives their number."""
    samples = usable(study.pictures(config), study.data)
    style, mode = study.profile.policy.prompts, "tools" if config.max_turns > 1 else "direct"
    prompts = {name: load_prompt(domain(name), mode, style, config.max_turns).text for name in config.domains}
    bound = bound_of(load_processor(study.profile.policy.model), list(prompts.values()), config.max_prompt_tokens)
    rows = [_row(i, s, study.data / s.image, prompts[s.domain], bound) for i, s in enumerate(samples)]
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    pq.write_table(pa.Table.from_pylist(rows), partial)
    partial.rename(out)
    return len(rows)


def _row(index: int, sample: Sample, path: Path, prompt: str, bound: Bound | None) -> dict:
    return {
        "data_source": f"rrvf/{sample.split}",
        "ability": sample.domain,
        "prompt": [{"role": "user", "content": PICTURE + prompt}],
        "images": [{"bytes": _png(path, bound)}],
        # The agent loop rewards an episode by itself, without a truth.
        "reward_model": {"style": "rule", "ground_truth": ""},
        "extra_info": {
            "index": index, "sample_id": sample.id, "domain": sample.domain, "target": str(path.resolve()),
        },
    }  # fmt: skip


def _png(path: Path, bound: Bound | None) -> bytes:
    data = path.read_bytes()
    picture = Image.open(io.BytesIO(data))
    smaller = bound.bounded(picture) if bound else picture
    if smaller is picture:
        return data
    buffer = io.BytesIO()
    smaller.save(buffer, "PNG")
    return buffer.getvalue()


def main() -> int:
    """The command; gives its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="paper")
    parser.add_argument("--section", default=CHART.name)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    try:
        study = Study(load_profile(given.profile))
        with study.judge():  # one that does not answer is said here, not by a worker on another node
            count = write_parquet(study, study.section("grpo", given.section), given.out)
    except UserError as error:
        print(f"rrvf: {error}", file=sys.stderr)
        return 2
    print(f"{count} pictures in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`rrvf eval`, `rrvf merge` and `rrvf report`: evaluate a policy, join the parts, report the results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rrvf.cli.options import PictureDomainOption, PicturesOption
from rrvf.cli.studies import at_work, on_pictures, show_summary, study_of
from rrvf.domains import CHART
from rrvf.errors import UserError
from rrvf.outputs import out_folder

if TYPE_CHECKING:
    from rrvf.study import Study

app = typer.Typer()


@app.command("eval")
def evaluate(
    policy: Annotated[
        str,
        typer.Option(
            help="reference, blank, nano, a folder, a hub id, http://…/v1#model, or a row of the paper's tables "
            "(gpt-4o, base, …)"
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="folder of records.jsonl and summary.json [default: in the profile's runs]")
    ] = None,
    benchmark: Annotated[str | None, typer.Option(help="an evaluation set of the profile")] = None,
    pictures: PicturesOption = None,
    domain: PictureDomainOption = CHART.name,
    profile: Annotated[
        str | None,
        typer.Option(
            help="nano, gpu, paper, or a YAML file "
            "[default: paper for a row, else nano; with --pictures the one that fits the policy]"
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="only the first N samples")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="seed of the bootstrap intervals")] = None,
    shard: Annotated[str | None, typer.Option(help="i/n: the i-th of n parts, for `rrvf merge`")] = None,
    turns: Annotated[
        int | None, typer.Option(min=2, max=16, help="T_max: let the policy call the tool, and score every turn")
    ] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="print calls, tokens, price and time, and stop")] = False,
) -> None:
    """Evaluate one policy: in one turn without tools, or in several with --turns. Run it again to continue.

    Example: rrvf eval --benchmark charts --policy nano --out runs/eval/nano

    A row of the paper's tables: rrvf eval --benchmark chartmimic --policy gpt-4o --estimate

    On three machines: rrvf eval --benchmark chartmimic --policy base --profile paper --shard 1/3 --out part1

    Your own pictures: rrvf eval --pictures my_charts --policy nano --out runs/mine
    """
    from rrvf.cli.named import model_of, part_of, place

    study, name = _asked(policy, profile, seed, benchmark, pictures, domain)
    config, part = study.section("evaluations", name), part_of(shard, turns)
    model = model_of(study, policy, config.domain)
    if estimate:
        print(study.estimate(name, policy, model, limit, part, turns or 1))
        return
    out = out_folder(out or place(study, name, policy, limit, part, turns))
    if turns:
        print(json.dumps(study.evaluate_turns(name, policy, model, out, turns, limit), indent=1))
        return
    show_summary(study.evaluate_model(name, policy, model, out, limit, part))
    if pictures and part is None:  # parts are no rows of a table until they are merged
        _show_picture_table(out)


def _asked(
    policy: str, profile: str | None, seed: int | None, benchmark: str | None, pictures: Path | None, domain: str
) -> tuple[Study, str]:
    """The study, and the name of the evaluation set: one of the profile's, or a folder of pictures."""
    if (benchmark is None) == (pictures is None):
        raise UserError("name one of the two: --benchmark, a set of the profile, or --pictures, a folder")
    if pictures:
        from rrvf.own_pictures import profile_for

        study = study_of(profile, seed) if profile else at_work(profile_for(policy), seed)
        return on_pictures(study, pictures, domain)
    from rrvf.cli.named import default_profile

    return study_of(profile or default_profile(policy), seed), benchmark


def _show_picture_table(out: Path) -> None:
    """Print Table 4 to standard error, because standard output holds the summary."""
    from rich.console import Console

    from rrvf.report.runs import find_runs
    from rrvf.report.tables import build_tables
    from rrvf.report.writers import print_tables

    print_tables(build_tables(find_runs(out), allow_judge_errors=True)[3:], Console(stderr=True))


@app.command("merge")
def merge_parts(
    out: Annotated[Path, typer.Argument(help="the folder of the whole evaluation")],
    parts: Annotated[list[Path], typer.Argument(help="the folders of `rrvf eval --shard i/n`, all n of them")],
) -> None:
    """Join the parts of an evaluation that ran on several machines.

    Example: rrvf merge runs/whole part1 part2 part3
    """
    from rrvf.benchmarks.merge import merge

    show_summary(merge(out, parts))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="a results folder, as runs/nano")],
    profile: Annotated[
        str | None,
        typer.Option(help="nano, gpu, paper, or a YAML file [default: by the folder's name, else by its runs]"),
    ] = None,
) -> None:
    """Write tables, claims and the sample browser of finished evaluations to FOLDER/report.

    Tables 1 to 3 are the paper's, table 4 holds pictures without code. The browser shows every sample with its target,
    each policy's picture, the code and the scores: open FOLDER/report/browser/index.html, no server needed.

    Example: rrvf report runs/nano
    """
    from rrvf.profile import load_profile
    from rrvf.report.write import profile_of, write_report

    if not folder.is_dir():
        raise UserError(f"no folder {folder}: name a folder of results, such as runs/nano")
    found = load_profile(profile) if profile else profile_of(folder)
    study = study_of(profile or (found.name if found else "nano"))  # any study finds the targets of a user's pictures
    out_folder(folder / "report")
    for path in write_report(folder, profile=found, targets=study.target):
        print(path)
    print(f"the sample browser: open {folder / 'report' / 'browser' / 'index.html'}", file=sys.stderr)
